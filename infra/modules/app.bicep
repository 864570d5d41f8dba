// The app and everything that it needs, in one resource group.
import {tagsOf} from 'types.bicep'

param environmentName string
param location string
param networkIsolated bool
param addressPrefix string
param appPrefix string
param endpointsPrefix string
param policyFile string
param approvers string[]
param policyWriters string[]
param eventsTopic bool
param killSwitch bool
param alertEmail string
@secure()
param alertWebhook string
param zoneRedundantStorage bool
param retentionDays int
param tags tagsOf

var suffix = take(uniqueString(resourceGroup().id, environmentName), 8)

module network 'network.bicep' = if (networkIsolated) {
  name: 'network'
  params: {
    environmentName: environmentName
    location: location
    addressPrefix: addressPrefix
    appPrefix: appPrefix
    endpointsPrefix: endpointsPrefix
    tags: tags
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  params: {
    environmentName: environmentName
    location: location
    networkIsolated: networkIsolated
    retentionDays: retentionDays
    tags: tags
  }
}

module storage 'storage.bicep' = {
  name: 'storage'
  params: {
    name: 'stamlguard${suffix}'
    location: location
    networkIsolated: networkIsolated
    zoneRedundant: zoneRedundantStorage
    tags: tags
  }
}

module topic 'topic.bicep' = if (eventsTopic) {
  name: 'topic'
  params: {
    name: 'evgt-amlguard-${environmentName}-${suffix}'
    environmentName: environmentName
    location: location
    networkIsolated: networkIsolated
    networkId: network.?outputs.networkId ?? ''
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    tags: tags
  }
}

module private 'private-endpoints.bicep' = if (networkIsolated) {
  name: 'private-endpoints'
  params: {
    environmentName: environmentName
    location: location
    networkId: network.?outputs.networkId ?? ''
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    storageAccountName: storage.outputs.name
    logWorkspaceResourceId: monitoring.outputs.logWorkspaceResourceId
    applicationInsightsId: monitoring.outputs.applicationInsightsId
    dataCollectionEndpointId: monitoring.outputs.dataCollectionEndpointId
    tags: tags
  }
}

module functionApp 'function-app.bicep' = {
  name: 'function-app'
  params: {
    name: 'func-amlguard-${environmentName}-${suffix}'
    planName: 'plan-amlguard-${environmentName}'
    location: location
    networkIsolated: networkIsolated
    subnetId: network.?outputs.appSubnetId ?? ''
    storageAccountName: storage.outputs.name
    applicationInsightsConnectionString: monitoring.outputs.applicationInsightsConnectionString
    ingestionEndpoint: monitoring.outputs.ingestionEndpoint
    ingestionRuleId: monitoring.outputs.ingestionRuleId
    logWorkspaceId: monitoring.outputs.logWorkspaceId
    policyFile: policyFile
    topicEndpoint: topic.?outputs.endpoint ?? ''
    killSwitch: killSwitch
    tags: tags
  }
}

module logs 'diagnostics/logs.bicep' = {
  name: 'logs'
  params: {
    functionAppName: functionApp.outputs.name
    storageAccountName: storage.outputs.name
    dataCollectionRuleName: monitoring.outputs.dataCollectionRuleName
    logWorkspaceResourceId: monitoring.outputs.logWorkspaceResourceId
  }
}

module access 'own-access.bicep' = {
  name: 'own-access'
  params: {
    principalId: functionApp.outputs.principalId
    storageAccountName: storage.outputs.name
    dataCollectionRuleName: monitoring.outputs.dataCollectionRuleName
    logWorkspaceName: monitoring.outputs.logWorkspaceName
    applicationInsightsName: monitoring.outputs.applicationInsightsName
  }
}

module topicAccess 'topic-access.bicep' = if (eventsTopic) {
  name: 'topic-access'
  params: {
    principalId: functionApp.outputs.principalId
    topicName: topic.?outputs.name ?? ''
  }
}

module people 'people-access.bicep' = {
  name: 'people-access'
  params: {
    storageAccountName: storage.outputs.name
    approvers: approvers
    policyWriters: policyWriters
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    location: location
    logWorkspaceResourceId: monitoring.outputs.logWorkspaceResourceId
    madeAt: storage.outputs.madeAt
    alertEmail: alertEmail
    alertWebhook: alertWebhook
    tags: tags
  }
}

module workbook 'workbook.bicep' = {
  name: 'workbook'
  params: {
    location: location
    logWorkspaceResourceId: monitoring.outputs.logWorkspaceResourceId
    tags: tags
  }
}

output principalId string = functionApp.outputs.principalId
output functionAppId string = functionApp.outputs.id
output functionAppName string = functionApp.outputs.name
output storageAccountId string = storage.outputs.id
output topicName string = topic.?outputs.name ?? ''
output actionGroupId string = alerts.outputs.actionGroupId
output logWorkspaceId string = monitoring.outputs.logWorkspaceId
output ingestionEndpoint string = monitoring.outputs.ingestionEndpoint
output ingestionRuleId string = monitoring.outputs.ingestionRuleId
output dataCollectionRuleId string = monitoring.outputs.dataCollectionRuleId
output blobUrl string = storage.outputs.blobUrl
output queueUrl string = storage.outputs.queueUrl
