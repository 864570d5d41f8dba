// The Function App on Flex Consumption: one identity, no keys, no basic authentication.
import {tagsOf} from 'types.bicep'

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
param policyFile string
param topicEndpoint string
param killSwitch bool
param tags tagsOf

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
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

resource app 'Microsoft.Web/sites@2025-03-01' = {
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
      // Event Grid delivers from public addresses. In the isolated variant nothing else is let in.
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
      // infra/publish.py opens the SCM site for whoever deploys, and closes it again. Each deployment of this template
      // closes it, too.
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
          name: 'AMLGUARD_EVENTS_TOPIC'
          value: topicEndpoint
        }
        {
          name: 'AMLGUARD_KILL_SWITCH'
          value: killSwitch ? 'on' : 'off'
        }
      ]
    }
  }
}

resource noBasicDeployment 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

resource noBasicFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

output id string = app.id
output name string = app.name
output principalId string = app.identity.principalId
