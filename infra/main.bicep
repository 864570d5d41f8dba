// amlguard for one subscription or many: the app goes into a resource group of this subscription, and gets its rights
// in the watched subscriptions.
import {existingTopic, tagsOf} from 'modules/types.bicep'

targetScope = 'subscription'

@description('Names the installation. It is a part of every resource name.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('The region of the app.')
param location string = deployment().location

@description('The GUIDs of the subscriptions to watch. If empty, the app watches this subscription.')
param watchedSubscriptions string[] = []

@description('Set to false if another deployment gives the rights: management-group.bicep gives them once, at the management group.')
param grantRights bool = true

@description('If true, the app may read in the watched subscriptions but change nothing. That is enough for mode report.')
param readOnly bool = false

@description('System topics that watched subscriptions already have. Azure allows one for each subscription. They are used as they are.')
param existingTopics existingTopic[] = []

@description('Set to true once the code is deployed. Event Grid accepts a function only when it exists.')
param eventsEnabled bool = false

@description('Puts the app into a virtual network and closes its storage, audit log and telemetry to everything else.')
param networkIsolated bool = false

@description('The address space of the isolated variant\'s virtual network.')
param addressPrefix string = '10.90.0.0/24'

@description('The part of it for the app, at least a /27.')
param appPrefix string = '10.90.0.0/26'

@description('The part of it for private endpoints.')
param endpointsPrefix string = '10.90.0.64/26'

@description('The policy file in the deployed package, or blob:policy.yaml for what `amlguard policy push` puts into the storage account. If empty, the app uses policy.yaml if the package has one.')
param policyFile string = ''

@description('Object ids of who may release changes that wait for a person (`amlguard approve`), best of groups.')
param approvers string[] = []

@description('Object ids of who may push a policy (`amlguard policy push`), best of groups. Nobody may be in both lists.')
param policyWriters string[] = []

@description('Makes an Event Grid topic to which amlguard sends what it did and what waits for people. See infra/examples.')
param eventsTopic bool = false

@description('Stops all changes. amlguard still reads and records.')
param killSwitch bool = false

@description('Mail addresses that get alerts, separated by commas. If this and alertWebhook are empty, alerts show in the portal only.')
param alertEmail string = ''

@description('Webhooks that get alerts: HTTPS addresses, separated by blanks.')
@secure()
param alertWebhook string = ''

@description('Stores the app\'s state across zones. Set it only if the region has zones: see docs/deploy.md.')
param zoneRedundantStorage bool = false

@description('The condition on the right to assign roles. If empty, it is the one in infra/generated/derived.json.')
param roleCondition string = ''

@description('How many days audit rows are kept.')
@minValue(30)
@maxValue(730)
param retentionDays int = 365

@description('Tags for every resource.')
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
    approvers: approvers
    policyWriters: policyWriters
    eventsTopic: eventsTopic
    killSwitch: killSwitch
    alertEmail: alertEmail
    alertWebhook: alertWebhook
    zoneRedundantStorage: zoneRedundantStorage
    retentionDays: retentionDays
    tags: allTags
  }
}

// One definition serves all watched subscriptions, because the name of a custom role is unique in a tenant.
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
// The argument of infra/publish.py.
output functionAppId string = app.outputs.functionAppId
output AZURE_FUNCTION_APP_NAME string = app.outputs.functionAppName
output AMLGUARD_PRINCIPAL_ID string = app.outputs.principalId
output AMLGUARD_DATA_COLLECTION_RULE string = app.outputs.dataCollectionRuleId
output AMLGUARD_STORAGE_ACCOUNT string = app.outputs.storageAccountId
// Its name, for infra/examples. Empty if there is none.
output AMLGUARD_TOPIC string = app.outputs.topicName

// The settings that the command line needs, under their own names (docs/deploy.md).
output AMLGUARD_LOG_WORKSPACE_ID string = app.outputs.logWorkspaceId
output AMLGUARD_LOGS_INGESTION_ENDPOINT string = app.outputs.ingestionEndpoint
output AMLGUARD_LOGS_RULE_ID string = app.outputs.ingestionRuleId
output AzureWebJobsStorage__blobServiceUri string = app.outputs.blobUrl
output AzureWebJobsStorage__queueServiceUri string = app.outputs.queueUrl

@description('For each watched subscription, where undeliverable events go.')
output AMLGUARD_DEAD_LETTERS string[] = [for (id, place) in watched: '${id}: ${events[place].?outputs.deadLetters ?? 'no events yet'}']
