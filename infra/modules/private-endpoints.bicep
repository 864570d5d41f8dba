// Private endpoints for the app's storage, audit log and telemetry, with their DNS zones.
import {tagsOf} from 'types.bicep'

param environmentName string
param location string
param networkId string
param subnetId string
param storageAccountName string
param logWorkspaceResourceId string
param applicationInsightsId string
param dataCollectionEndpointId string
param tags tagsOf

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

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
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

resource storageEndpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [for kind in storageKinds: {
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

resource storageNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [for (kind, place) in storageKinds: {
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

resource scope 'Microsoft.Insights/privateLinkScopes@2021-09-01' = {
  name: 'ampls-amlguard-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    accessModeSettings: {
      // Open, so that the app can still reach other log workspaces. Its own resources close their public access
      // themselves.
      ingestionAccessMode: 'Open'
      queryAccessMode: 'Open'
    }
  }
}

// One after another, because the scope accepts one change at a time.
resource scopedWorkspace 'Microsoft.Insights/privateLinkScopes/scopedResources@2021-09-01' = {
  parent: scope
  name: 'monitored-0'
  properties: {
    linkedResourceId: logWorkspaceResourceId
  }
}

resource scopedInsights 'Microsoft.Insights/privateLinkScopes/scopedResources@2021-09-01' = {
  parent: scope
  name: 'monitored-1'
  properties: {
    linkedResourceId: applicationInsightsId
  }
  dependsOn: [
    scopedWorkspace
  ]
}

resource scopedEndpoint 'Microsoft.Insights/privateLinkScopes/scopedResources@2021-09-01' = {
  parent: scope
  name: 'monitored-2'
  properties: {
    linkedResourceId: dataCollectionEndpointId
  }
  dependsOn: [
    scopedInsights
  ]
}

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

resource monitorEndpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
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
    scopedEndpoint
  ]
}

resource monitorNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = {
  parent: monitorEndpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: 'privatelink-monitor-azure-com'
        properties: {
          privateDnsZoneId: zones[0].id
        }
      }
      {
        name: 'privatelink-oms-opinsights-azure-com'
        properties: {
          privateDnsZoneId: zones[1].id
        }
      }
      {
        name: 'privatelink-ods-opinsights-azure-com'
        properties: {
          privateDnsZoneId: zones[2].id
        }
      }
      {
        name: 'privatelink-agentsvc-azure-automation-net'
        properties: {
          privateDnsZoneId: zones[3].id
        }
      }
      {
        name: 'privatelink-blob-${replace(environment().suffixes.storage, '.', '-')}'
        properties: {
          privateDnsZoneId: storageZones[0].id
        }
      }
    ]
  }
}
