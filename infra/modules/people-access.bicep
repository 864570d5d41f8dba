// Who may release changes, and who may push a policy. These are different people: who may do one gets no right to do the
// other. Both are Microsoft Entra object ids, best of groups.
param storageAccountName string
param approvers string[]
param policyWriters string[]

var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var messageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
var both = filter(approvers, one => contains(map(policyWriters, id => toLower(id)), toLower(one)))
var releasers = empty(both)
  ? approvers
  : fail('${first(both)} may approve changes and write the policy. Whoever may do one must not do the other.')

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource state 'containers' existing = {
      name: 'amlguard-state'
    }

    resource policies 'containers' existing = {
      name: 'amlguard-policy'
    }
  }

  resource queueService 'queueServices' existing = {
    name: 'default'

    resource work 'queues' existing = {
      name: 'amlguard-work'
    }
  }
}

resource release 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for id in releasers: {
  name: guid(account::blobs::state.id, id, blobContributor)
  scope: account::blobs::state
  properties: {
    principalId: id
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
    description: 'amlguard: releases changes'
  }
}]

resource releaseWork 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for id in releasers: {
  name: guid(account::queueService::work.id, id, messageSender)
  scope: account::queueService::work
  properties: {
    principalId: id
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', messageSender)
    description: 'amlguard: releases changes'
  }
}]

resource write 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for id in policyWriters: {
  name: guid(account::blobs::policies.id, id, blobContributor)
  scope: account::blobs::policies
  properties: {
    principalId: id
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
    description: 'amlguard: pushes the policy'
  }
}]
