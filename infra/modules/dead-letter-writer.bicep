// Event Grid writes dead letters as the topic's identity, because the account accepts no keys.
param storageAccountName string

@description('The principal id of the topic\'s identity. Empty if it has none.')
param principalId string

@description('If false, the topic has no identity, and no role is assigned.')
param deadLettering bool

var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-08-01' existing = {
  parent: account
  name: 'default'
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-08-01' existing = {
  parent: blobs
  name: 'dead-letters'
}

resource writer 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (deadLettering) {
  name: guid(deadLetters.id, principalId, blobDataContributor)
  scope: deadLetters
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    description: 'amlguard: Event Grid keeps the events that it could not deliver'
  }
}
