// amlguard for a management group. It gets its rights once, at the group, so that the sweep covers new subscriptions at
// once. Event Grid has no management groups, so events come from the listed subscriptions.
import {existingTopic, tagsOf} from 'modules/types.bicep'

targetScope = 'managementGroup'

@description('Names the installation. It is a part of every resource name.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('The region of the app.')
param location string

@description('The GUID of the subscription that holds the app itself.')
param hostSubscription string

@description('The GUIDs of the subscriptions whose events the app receives.')
param watchedSubscriptions string[]

@description('System topics that these subscriptions already have. Azure allows one for each subscription. They are used as they are.')
param existingTopics existingTopic[] = []

@description('If true, the app may read in the management group but change nothing. That is enough for mode report.')
param readOnly bool = false

@description('Set to true once the code is deployed. Event Grid accepts a function only when it exists.')
param eventsEnabled bool = false

@description('Puts the app into a virtual network and closes its storage, audit log and telemetry to everything else.')
param networkIsolated bool = false

@description('The policy file in the deployed package, or blob:policy.yaml for what `amlguard policy push` puts into the storage account. If empty, the app uses policy.yaml if the package has one.')
param policyFile string = ''

@description('Object ids of who may release changes that wait for a person (`amlguard approve`), best of groups.')
param approvers string[] = []

@description('Object ids of who may push a policy (`amlguard policy push`), best of groups. Nobody may be in both lists.')
param policyWriters string[] = []

@description('Makes an Event Grid topic to which amlguard sends what it did and what waits for people. See infra/examples.')
param eventsTopic bool = false

@description('Mail addresses that get alerts, separated by commas. If this and alertWebhook are empty, alerts show in the portal only.')
param alertEmail string = ''

@description('Webhooks that get alerts: HTTPS addresses, separated by blanks.')
@secure()
param alertWebhook string = ''

@description('Stores the app\'s state across zones. Set it only if the region has zones: see docs/deploy.md.')
param zoneRedundantStorage bool = false

@description('The condition on the right to assign roles. If empty, it is the one in infra/generated/derived.json.')
param roleCondition string = ''

@description('Tags for every resource.')
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
    approvers: approvers
    policyWriters: policyWriters
    eventsTopic: eventsTopic
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
output AMLGUARD_TOPIC string = app.outputs.AMLGUARD_TOPIC

// The settings that the command line needs, under their own names (docs/deploy.md).
output AMLGUARD_LOG_WORKSPACE_ID string = app.outputs.AMLGUARD_LOG_WORKSPACE_ID
output AMLGUARD_LOGS_INGESTION_ENDPOINT string = app.outputs.AMLGUARD_LOGS_INGESTION_ENDPOINT
output AMLGUARD_LOGS_RULE_ID string = app.outputs.AMLGUARD_LOGS_RULE_ID
output AzureWebJobsStorage__blobServiceUri string = app.outputs.AzureWebJobsStorage__blobServiceUri
output AzureWebJobsStorage__queueServiceUri string = app.outputs.AzureWebJobsStorage__queueServiceUri

@description('For each listed subscription, where undeliverable events go.')
output AMLGUARD_DEAD_LETTERS string[] = app.outputs.AMLGUARD_DEAD_LETTERS
