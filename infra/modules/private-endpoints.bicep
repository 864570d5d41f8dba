// Private ways from the app to its storage, audit log and telemetry, and the names that lead there.
param environmentName string
param location string
param networkId string
param subnetId string
param storageAccountName string
param monitoredIds array
param tags object

var storageKinds = [
  'blob'
  'queue'
]
var monitorZones = [
  'privatelink.monitor.azure.com'
  'privatelink.oms.opinsights.azure.com'
  'privatelink.ods.opinsights.azure.com'
  'privatelink.agentsvc.azure-automation.net'
]

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource storageZones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for kind in storageKinds: {
  name: 'privatelink.${kind}.${environment().suffixes.storage}'
  location: 'global'
  tags: tags
}]

resource storageLinks 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (kind, place) in storageKinds: {
  parent: storageZones[place]
  name: 'amlguard'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}]

resource storageEndpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [for kind in storageKinds: {
  name: 'pep-amlguard-${environmentName}-${kind}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: kind
        properties: {
          privateLinkServiceId: account.id
          groupIds: [
            kind
          ]
        }
      }
    ]
  }
}]

resource storageNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (kind, place) in storageKinds: {
  parent: storageEndpoints[place]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: kind
        properties: {
          privateDnsZoneId: storageZones[place].id
        }
      }
    ]
  }
}]

resource scope 'Microsoft.Insights/privateLinkScopes@2021-07-01-preview' = {
  name: 'ampls-amlguard-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    accessModeSettings: {
      // The app must still reach the logs of others; its own are closed to the public by themselves.
      ingestionAccessMode: 'Open'
      queryAccessMode: 'Open'
    }
  }
}

// One after another: the scope takes one change at a time.
@batchSize(1)
resource scoped 'Microsoft.Insights/privateLinkScopes/scopedResources@2021-07-01-preview' = [for (id, place) in monitoredIds: {
  parent: scope
  name: 'monitored-${place}'
  properties: {
    linkedResourceId: id
  }
}]

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for zone in monitorZones: {
  name: zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (zone, place) in monitorZones: {
  parent: zones[place]
  name: 'amlguard'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}]

resource monitorEndpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: 'pep-amlguard-${environmentName}-monitor'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: 'monitor'
        properties: {
          privateLinkServiceId: scope.id
          groupIds: [
            'azuremonitor'
          ]
        }
      }
    ]
  }
  dependsOn: [
    scoped
  ]
}

resource monitorNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = {
  parent: monitorEndpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [for (zone, place) in union(monitorZones, [
      'privatelink.blob.${environment().suffixes.storage}'
    ]): {
      name: replace(zone, '.', '-')
      properties: {
        privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', zone)
      }
    }]
  }
  dependsOn: [
    zones
    storageZones
  ]
}
