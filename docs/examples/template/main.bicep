// A workspace whose cluster reads its data and pulls its images as an identity of its own.
@minLength(3)
@maxLength(12)
param prefix string = 'example'
param location string = resourceGroup().location

var roles = {
  pullImages: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
  readBlobs: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
}

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'st${prefix}'
  location: location
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: { allowBlobPublicAccess: false, minimumTlsVersion: 'TLS1_2' }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kv-${prefix}'
  location: location
  properties: { tenantId: tenant().tenantId, sku: { family: 'A', name: 'standard' }, enableRbacAuthorization: true }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${prefix}'
  location: location
  kind: 'web'
  properties: { Application_Type: 'web' }
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  name: 'cr${prefix}'
  location: location
  sku: { name: 'Standard' }
  properties: { adminUserEnabled: false }
}

resource training 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-training'
  location: location
}

resource workspace 'Microsoft.MachineLearningServices/workspaces@2025-06-01' = {
  name: 'mlw-${prefix}'
  location: location
  identity: { type: 'SystemAssigned' }
  properties: {
    storageAccount: storage.id
    keyVault: vault.id
    applicationInsights: insights.id
    containerRegistry: registry.id
    managedNetwork: { isolationMode: 'AllowInternetOutbound' }
  }
}

resource cluster 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = {
  parent: workspace
  name: 'cpu'
  location: location
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${training.id}': {} } }
  properties: {
    computeType: 'AmlCompute'
    disableLocalAuth: true
    properties: { vmSize: 'Standard_DS3_v2', scaleSettings: { maxNodeCount: 2 } }
  }
}

resource pulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: registry
  name: guid(registry.id, training.id, roles.pullImages)
  properties: {
    principalId: training.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.pullImages)
  }
}

resource reads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, training.id, roles.readBlobs)
  properties: {
    principalId: training.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.readBlobs)
  }
}
