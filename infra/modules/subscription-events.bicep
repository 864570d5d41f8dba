// A watched subscription's events: a resource group of its own for the system topic, which must be in that subscription.
targetScope = 'subscription'

param environmentName string
param location string
param functionAppId string
param storageAccountId string
param actionGroupId string
param tags object

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-amlguard-${environmentName}-events'
  location: location
  tags: tags
}

module topic 'events.bicep' = {
  name: 'amlguard-topic-${environmentName}'
  scope: group
  params: {
    environmentName: environmentName
    actionGroupId: actionGroupId
    tags: tags
  }
}

module deadLetters 'dead-letter-writer.bicep' = {
  name: 'amlguard-dead-letters-${uniqueString(subscription().id, environmentName)}'
  scope: resourceGroup(split(storageAccountId, '/')[2], split(storageAccountId, '/')[4])
  params: {
    storageAccountName: last(split(storageAccountId, '/'))
    principalId: topic.outputs.principalId
  }
}

module deliveries 'event-subscriptions.bicep' = {
  name: 'amlguard-deliveries-${environmentName}'
  scope: group
  params: {
    topicName: topic.outputs.name
    functionAppId: functionAppId
    storageAccountId: storageAccountId
  }
  dependsOn: [
    deadLetters
  ]
}
