// The Function App on Flex Consumption: one identity, no keys, no basic authentication.
param name string
param planName string
param location string
param networkIsolated bool
param subnetId string
param storageAccountName string
param applicationInsightsConnectionString string
param ingestionEndpoint string
param ingestionRuleId string
param logWorkspaceId string
param logWorkspaceResourceId string
param policyFile string
param killSwitch bool
param tags object

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  // checkov:skip=CKV_AZURE_225: zones are not offered for Flex Consumption in every region; the sweep makes up for an outage
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  // checkov:skip=CKV_AZURE_222: Event Grid delivers from public addresses; the isolated variant lets in nothing else
  // checkov:skip=CKV_AZURE_17: Event Grid shows no client certificate; the host checks its key
  // checkov:skip=CKV_AZURE_212: Flex Consumption scales from zero, and Event Grid tries again
  // checkov:skip=CKV_AZURE_213: no route of this app tells its health; the sweep's rows and their alert do
  name: name
  location: location
  tags: union(tags, {
    'azd-service-name': 'amlguard'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: networkIsolated ? subnetId : null
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${account.properties.primaryEndpoints.blob}app-package'
          authentication: {
            type: 'SystemAssignedIdentity'
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: 40
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      // Event Grid delivers from public addresses: in the isolated variant nothing else gets in.
      ipSecurityRestrictionsDefaultAction: networkIsolated ? 'Deny' : 'Allow'
      ipSecurityRestrictions: networkIsolated ? [
        {
          name: 'event-grid'
          priority: 100
          action: 'Allow'
          tag: 'ServiceTag'
          ipAddress: 'AzureEventGrid'
        }
      ] : []
      // infra/publish.py opens the deployment's site to whoever deploys, and closes it again; so does each deployment of this.
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictionsDefaultAction: networkIsolated ? 'Deny' : 'Allow'
      scmIpSecurityRestrictions: []
      appSettings: [
        {
          name: 'AzureWebJobsStorage__credential'
          value: 'managedidentity'
        }
        {
          name: 'AzureWebJobsStorage__blobServiceUri'
          value: account.properties.primaryEndpoints.blob
        }
        {
          name: 'AzureWebJobsStorage__queueServiceUri'
          value: account.properties.primaryEndpoints.queue
        }
        {
          name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
          value: applicationInsightsConnectionString
        }
        {
          name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
          value: 'Authorization=AAD'
        }
        {
          name: 'AMLGUARD_ARM_ENDPOINT'
          value: environment().resourceManager
        }
        {
          name: 'AMLGUARD_LOGS_INGESTION_ENDPOINT'
          value: ingestionEndpoint
        }
        {
          name: 'AMLGUARD_LOGS_RULE_ID'
          value: ingestionRuleId
        }
        {
          name: 'AMLGUARD_LOG_WORKSPACE_ID'
          value: logWorkspaceId
        }
        {
          name: 'AMLGUARD_POLICY'
          value: policyFile
        }
        {
          name: 'AMLGUARD_KILL_SWITCH'
          value: killSwitch ? 'on' : 'off'
        }
      ]
    }
  }
}

resource noBasicPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [for kind in [
  'scm'
  'ftp'
]: {
  parent: app
  name: kind
  properties: {
    allow: false
  }
}]

resource appLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'amlguard'
  scope: app
  properties: {
    workspaceId: logWorkspaceResourceId
    logs: [
      {
        category: 'FunctionAppLogs'
        enabled: true
      }
    ]
  }
}

output id string = app.id
output name string = app.name
output principalId string = app.identity.principalId
