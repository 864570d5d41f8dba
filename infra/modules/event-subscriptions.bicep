// Which events Event Grid delivers: the operations that the rules watch. An event subscription takes at most 25 values.
param topicName string
param functionAppId string
param storageAccountId string
param deadLettering bool

var derived = loadJsonContent('../generated/derived.json')

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: last(split(functionAppId, '/'))
  scope: resourceGroup(split(functionAppId, '/')[2], split(functionAppId, '/')[4])

  resource changed 'functions' existing = {
    name: 'resource_changed'
  }
}

resource deliveries 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [for one in derived.eventSubscriptions: {
  parent: topic
  name: one.name
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: app::changed.id
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    filter: {
      includedEventTypes: one.eventTypes
      advancedFilters: [
        {
          operatorType: 'StringIn'
          key: 'data.operationName'
          values: one.operations
        }
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: deadLettering
      ? {
          identity: {
            type: 'SystemAssigned'
          }
          deadLetterDestination: {
            endpointType: 'StorageBlob'
            properties: {
              resourceId: storageAccountId
              blobContainerName: 'dead-letters'
            }
          }
        }
      : null
  }
}]
