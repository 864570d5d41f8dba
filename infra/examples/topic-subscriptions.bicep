// An example: who is told of what amlguard did. It goes into the app's resource group, after a deployment with
// eventsTopic=true. A queue gets every event. A webhook gets those that people must act on.
targetScope = 'resourceGroup'

@description('The topic: the output AMLGUARD_TOPIC of the deployment.')
param topicName string

@description('A storage account of yours in this resource group. It gets the queue.')
param storageAccountName string

@description('The queue that gets every event.')
param queueName string = 'amlguard-told'

@description('An HTTPS address that answers the handshake of CloudEvents (OPTIONS, WebHook-Request-Origin).')
@secure()
param webhook string

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName

  resource queueService 'queueServices' existing = {
    name: 'default'
  }
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-08-01' = {
  parent: account::queueService
  name: queueName
}

// Storage Queue Data Message Sender, for the identity of the topic.
resource mayPut 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(queue.id, topic.id, 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a')
  scope: queue
  properties: {
    principalId: topic.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a')
    description: 'amlguard: delivers events'
  }
}

resource everything 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'everything'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    deliveryWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: account.id
          queueName: queue.name
          queueMessageTimeToLiveInSeconds: 604800
        }
      }
    }
  }
  dependsOn: [
    mayPut
  ]
}

resource people 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'for-people'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: webhook
        minimumTlsVersionAllowed: '1.2'
        maxEventsPerBatch: 1
      }
    }
    filter: {
      includedEventTypes: [
        'amlguard.remediation.failed'
        'amlguard.remediation.contested'
        'amlguard.approval.needed'
        'amlguard.sweep.incomplete'
      ]
    }
  }
}
