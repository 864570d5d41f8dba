// The Event Grid topic to which amlguard sends what it did and what waits for people, as CloudEvents. It takes no keys.
import {tagsOf} from 'types.bicep'

param name string
param environmentName string
param location string
param networkIsolated bool

@description('In the isolated variant, the network and the subnet of its private endpoint.')
param networkId string

param subnetId string
param tags tagsOf

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  // Deliveries to a queue are made as this identity: see infra/examples.
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: networkIsolated ? 'Disabled' : 'Enabled'
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = if (networkIsolated) {
  name: 'privatelink.eventgrid.azure.net'
  location: 'global'
  tags: tags

  resource link 'virtualNetworkLinks' = {
    name: 'amlguard'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: networkId
      }
    }
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = if (networkIsolated) {
  name: 'pep-amlguard-${environmentName}-topic'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: 'topic'
        properties: {
          privateLinkServiceId: topic.id
          groupIds: [
            'topic'
          ]
        }
      }
    ]
  }

  resource names 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: 'topic'
          properties: {
            privateDnsZoneId: zone.id
          }
        }
      ]
    }
  }
}

output name string = topic.name
output endpoint string = topic.properties.endpoint
