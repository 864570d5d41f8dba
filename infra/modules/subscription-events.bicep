// The events of a watched subscription: its system topic, which must be in that subscription, and the event
// subscriptions.
import {existingTopic, tagsOf} from 'types.bicep'

targetScope = 'subscription'

param environmentName string
param location string
param functionAppId string
param storageAccountId string
param actionGroupId string

@description('The system topic that the subscription already has. If null, a new one is made.')
param given existingTopic?
param tags tagsOf

var groupName = 'rg-amlguard-${environmentName}-events'
var topicName = given.?name ?? 'evgst-amlguard-${environmentName}'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

module topic 'events.bicep' = if (given == null) {
  name: 'amlguard-topic-${environmentName}'
  scope: group
  params: {
    environmentName: environmentName
    tags: tags
  }
}

module found 'existing-topic.bicep' = if (given != null) {
  name: 'amlguard-topic-${environmentName}'
  scope: resourceGroup(given.?resourceGroup ?? groupName)
  params: {
    name: topicName
  }
}

module deadLetters 'dead-letter-writer.bicep' = {
  name: 'amlguard-dead-letters-${uniqueString(subscription().id, environmentName)}'
  scope: resourceGroup(split(storageAccountId, '/')[2], split(storageAccountId, '/')[4])
  params: {
    storageAccountName: last(split(storageAccountId, '/'))
    principalId: given == null ? topic!.outputs.principalId : found!.outputs.principalId
    deadLettering: given == null ? true : !empty(found!.outputs.principalId)
  }
}

module deliveries 'event-subscriptions.bicep' = {
  name: 'amlguard-deliveries-${environmentName}'
  scope: resourceGroup(given.?resourceGroup ?? groupName)
  params: {
    topicName: topicName
    functionAppId: functionAppId
    storageAccountId: storageAccountId
    deadLettering: given == null ? true : !empty(found!.outputs.principalId)
  }
  dependsOn: [
    topic
    deadLetters
  ]
}

module lost 'lost-events.bicep' = {
  name: 'amlguard-lost-events-${environmentName}'
  scope: group
  params: {
    topicId: given == null ? topic!.outputs.id : found!.outputs.id
    deadLettering: given == null ? true : !empty(found!.outputs.principalId)
    actionGroupId: actionGroupId
    tags: tags
  }
}

@description('Where undeliverable events go.')
output deadLetters string = given == null || !empty(found!.outputs.principalId)
  ? 'in the container dead-letters of ${last(split(storageAccountId, '/'))}'
  : 'nowhere, as the system topic ${topicName} has no system-assigned identity. Give it one, and deploy again.'
