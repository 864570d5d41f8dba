// amlguard for one subscription or many: the app in a resource group of this subscription, its rights in the watched ones.
import {existingTopic, tagsOf} from 'modules/types.bicep'

targetScope = 'subscription'

@description('Names the installation; part of every name.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('Region of the app.')
param location string = deployment().location

@description('GUIDs of the subscriptions to watch. Empty: this one.')
param watchedSubscriptions string[] = []

@description('False when rights are given elsewhere: management-group.bicep gives them once, at the management group.')
param grantRights bool = true

@description('True: in the watched subscriptions the app may look, and change nothing. Enough for mode report.')
param readOnly bool = false

@description('System topics that watched subscriptions have already: Azure allows one a subscription. They are used as they are.')
param existingTopics existingTopic[] = []

@description('True once the code is deployed: Event Grid accepts a function only when it is there.')
param eventsEnabled bool = false

@description('Integrates the app into a virtual network and closes storage, audit log and telemetry to everything else.')
param networkIsolated bool = false

@description('Address space of the network of the isolated variant.')
param addressPrefix string = '10.90.0.0/24'

@description('Of it, for the app: at least a /27.')
param appPrefix string = '10.90.0.0/26'

@description('Of it, for private endpoints.')
param endpointsPrefix string = '10.90.0.64/26'

@description('The policy file in the deployed package. Empty: policy.yaml, if there.')
param policyFile string = ''

@description('Stops all changes; looking and recording go on.')
param killSwitch bool = false

@description('Mail addresses that are told when an alert fires, separated by commas. Empty, as alertWebhook: alerts show in the portal only.')
param alertEmail string = ''

@description('Webhooks that are called when an alert fires: HTTPS addresses, separated by blanks.')
@secure()
param alertWebhook string = ''

@description('Stores the app\'s state across zones. Only where the region has them: see docs/deploy.md.')
param zoneRedundantStorage bool = false

@description('The condition on the right to assign roles. Empty: that of infra/generated/derived.json.')
param roleCondition string = ''

@description('Days that audit rows are kept.')
@minValue(30)
@maxValue(730)
param retentionDays int = 365

@description('On every resource.')
param tags tagsOf = {}

var access = loadJsonContent('app_access.json')
var derived = loadJsonContent('generated/derived.json')
var allTags = union({
  'azd-env-name': environmentName
  application: 'amlguard'
}, tags)
var watched = empty(watchedSubscriptions) ? [
  subscription().subscriptionId
] : watchedSubscriptions
var homes = union(watched, [
  subscription().subscriptionId
])
var unwatched = filter(existingTopics, one => !contains(map(watched, id => toLower(id)), toLower(one.subscription)))
var topics = empty(unwatched)
  ? toObject(existingTopics, one => toLower(one.subscription))
  : fail('existingTopics names a subscription that is not watched: ${first(unwatched).?subscription}')
var groupName = 'rg-amlguard-${environmentName}'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: allTags
}

module app 'modules/app.bicep' = {
  name: 'amlguard-app-${environmentName}'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    networkIsolated: networkIsolated
    addressPrefix: addressPrefix
    appPrefix: appPrefix
    endpointsPrefix: endpointsPrefix
    policyFile: policyFile
    killSwitch: killSwitch
    alertEmail: alertEmail
    alertWebhook: alertWebhook
    zoneRedundantStorage: zoneRedundantStorage
    retentionDays: retentionDays
    tags: allTags
  }
}

// One definition for all watched subscriptions: names of custom roles are unique in a tenant.
resource settingsWriter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (grantRights && !readOnly) {
  name: guid(access.roleDefinition.name, subscription().id, environmentName)
  properties: {
    roleName: '${access.roleDefinition.roleName} (${environmentName})'
    description: access.roleDefinition.description
    type: 'CustomRole'
    permissions: access.roleDefinition.permissions
    assignableScopes: [for id in homes: '/subscriptions/${id}']
  }
}

module rights 'modules/watched-subscription.bicep' = [for id in watched: if (grantRights) {
  name: 'amlguard-rights-${uniqueString(id, environmentName)}'
  scope: subscription(id)
  params: {
    principalId: app.outputs.principalId
    settingsWriterId: guid(access.roleDefinition.name, subscription().id, environmentName)
    roleCondition: empty(roleCondition) ? derived.condition : roleCondition
    readOnly: readOnly
  }
  dependsOn: [
    settingsWriter
  ]
}]

module events 'modules/subscription-events.bicep' = [for id in watched: if (eventsEnabled) {
  name: 'amlguard-events-${uniqueString(id, environmentName)}'
  scope: subscription(id)
  params: {
    environmentName: environmentName
    location: location
    functionAppId: app.outputs.functionAppId
    storageAccountId: app.outputs.storageAccountId
    actionGroupId: app.outputs.actionGroupId
    given: topics[?toLower(id)]
    tags: allTags
  }
}]

output AZURE_RESOURCE_GROUP string = groupName
// What infra/publish.py is told.
output functionAppId string = app.outputs.functionAppId
output AZURE_FUNCTION_APP_NAME string = app.outputs.functionAppName
output AMLGUARD_PRINCIPAL_ID string = app.outputs.principalId
output AMLGUARD_DATA_COLLECTION_RULE string = app.outputs.dataCollectionRuleId
output AMLGUARD_STORAGE_ACCOUNT string = app.outputs.storageAccountId

// What the command line needs at a desk, under the names of its settings (docs/deploy.md).
output AMLGUARD_LOG_WORKSPACE_ID string = app.outputs.logWorkspaceId
output AMLGUARD_LOGS_INGESTION_ENDPOINT string = app.outputs.ingestionEndpoint
output AMLGUARD_LOGS_RULE_ID string = app.outputs.ingestionRuleId
output AzureWebJobsStorage__blobServiceUri string = app.outputs.blobUrl
output AzureWebJobsStorage__queueServiceUri string = app.outputs.queueUrl

@description('For each watched subscription, where events go that cannot be delivered.')
output AMLGUARD_DEAD_LETTERS string[] = [for (id, place) in watched: '${id}: ${events[place].?outputs.deadLetters ?? 'no events yet'}']
