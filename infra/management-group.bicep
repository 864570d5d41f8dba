// amlguard for a management group: rights once, at the group, so that new subscriptions are covered by the sweep at once.
// Event Grid knows only subscriptions: events come from those that are listed.
import {existingTopic, tagsOf} from 'modules/types.bicep'

targetScope = 'managementGroup'

@description('Names the installation; part of every name.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('Region of the app.')
param location string

@description('GUID of the subscription that the app itself lives in.')
param hostSubscription string

@description('GUIDs of the subscriptions whose events are listened to.')
param watchedSubscriptions string[]

@description('System topics that these subscriptions have already: Azure allows one a subscription. They are used as they are.')
param existingTopics existingTopic[] = []

@description('True: in the management group the app may look, and change nothing. Enough for mode report.')
param readOnly bool = false

@description('True once the code is deployed: Event Grid accepts a function only when it is there.')
param eventsEnabled bool = false

@description('Integrates the app into a virtual network and closes storage, audit log and telemetry to everything else.')
param networkIsolated bool = false

@description('The policy file in the deployed package. Empty: policy.yaml, if there.')
param policyFile string = ''

@description('Mail addresses that are told when an alert fires, separated by commas. Empty, as alertWebhook: alerts show in the portal only.')
param alertEmail string = ''

@description('Webhooks that are called when an alert fires: HTTPS addresses, separated by blanks.')
@secure()
param alertWebhook string = ''

@description('Stores the app\'s state across zones. Only where the region has them: see docs/deploy.md.')
param zoneRedundantStorage bool = false

@description('The condition on the right to assign roles. Empty: that of infra/generated/derived.json.')
param roleCondition string = ''

@description('On every resource.')
param tags tagsOf = {}

var access = loadJsonContent('app_access.json')
var derived = loadJsonContent('generated/derived.json')
var settingsWriterId = guid(access.roleDefinition.name, managementGroup().id, environmentName)

module app 'main.bicep' = {
  name: 'amlguard-${environmentName}'
  scope: subscription(hostSubscription)
  params: {
    environmentName: environmentName
    location: location
    watchedSubscriptions: watchedSubscriptions
    existingTopics: existingTopics
    grantRights: false
    eventsEnabled: eventsEnabled
    networkIsolated: networkIsolated
    policyFile: policyFile
    alertEmail: alertEmail
    alertWebhook: alertWebhook
    zoneRedundantStorage: zoneRedundantStorage
    tags: tags
  }
}

resource settingsWriter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (!readOnly) {
  name: settingsWriterId
  properties: {
    roleName: '${access.roleDefinition.roleName} (${environmentName})'
    description: access.roleDefinition.description
    type: 'CustomRole'
    permissions: access.roleDefinition.permissions
    assignableScopes: [
      managementGroup().id
    ]
  }
}

module rights 'modules/watched-management-group.bicep' = {
  name: 'amlguard-rights-${environmentName}'
  params: {
    principalId: app.outputs.AMLGUARD_PRINCIPAL_ID
    settingsWriterId: settingsWriterId
    roleCondition: empty(roleCondition) ? derived.condition : roleCondition
    readOnly: readOnly
  }
  dependsOn: [
    settingsWriter
  ]
}

output AMLGUARD_PRINCIPAL_ID string = app.outputs.AMLGUARD_PRINCIPAL_ID
output functionAppId string = app.outputs.functionAppId
output AMLGUARD_DATA_COLLECTION_RULE string = app.outputs.AMLGUARD_DATA_COLLECTION_RULE
output AMLGUARD_STORAGE_ACCOUNT string = app.outputs.AMLGUARD_STORAGE_ACCOUNT

// What the command line needs at a desk, under the names of its settings (docs/deploy.md).
output AMLGUARD_LOG_WORKSPACE_ID string = app.outputs.AMLGUARD_LOG_WORKSPACE_ID
output AMLGUARD_LOGS_INGESTION_ENDPOINT string = app.outputs.AMLGUARD_LOGS_INGESTION_ENDPOINT
output AMLGUARD_LOGS_RULE_ID string = app.outputs.AMLGUARD_LOGS_RULE_ID
output AzureWebJobsStorage__blobServiceUri string = app.outputs.AzureWebJobsStorage__blobServiceUri
output AzureWebJobsStorage__queueServiceUri string = app.outputs.AzureWebJobsStorage__queueServiceUri

@description('For each listed subscription, where events go that cannot be delivered.')
output AMLGUARD_DEAD_LETTERS string[] = app.outputs.AMLGUARD_DEAD_LETTERS
