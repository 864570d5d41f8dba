// Where the app records what it does: workspace, audit tables, data collection endpoint and rule, Application Insights.
import {tagsOf} from 'types.bicep'

param environmentName string
param location string
param networkIsolated bool
param retentionDays int
param tags tagsOf

var tables = loadJsonContent('../tables.json').tables
var publicAccess = networkIsolated ? 'Disabled' : 'Enabled'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: 'log-amlguard-${environmentName}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    // Rows arrive through the endpoint below. People may run queries from public networks.
    publicNetworkAccessForIngestion: publicAccess
    publicNetworkAccessForQuery: 'Enabled'
  }
}

resource auditTables 'Microsoft.OperationalInsights/workspaces/tables@2025-07-01' = [for table in items(tables): {
  parent: workspace
  name: table.key
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionDays
    totalRetentionInDays: retentionDays
    schema: {
      name: table.key
      columns: table.value.columns
    }
  }
}]

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2024-03-11' = {
  name: 'dce-amlguard-${environmentName}'
  location: location
  tags: tags
  properties: {
    networkAcls: {
      publicNetworkAccess: publicAccess
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: 'dcr-amlguard-${environmentName}'
  location: location
  tags: tags
  properties: {
    dataCollectionEndpointId: endpoint.id
    streamDeclarations: {
      'Custom-AmlGuardRemediation_CL': {
        columns: tables.AmlGuardRemediation_CL.columns
      }
      'Custom-AmlGuardFinding_CL': {
        columns: tables.AmlGuardFinding_CL.columns
      }
      'Custom-AmlGuardSweep_CL': {
        columns: tables.AmlGuardSweep_CL.columns
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: 'audit'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [for table in items(tables): {
      streams: [
        table.value.stream
      ]
      destinations: [
        'audit'
      ]
      transformKql: 'source'
      outputStream: table.value.stream
    }]
  }
  dependsOn: [
    auditTables
  ]
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-amlguard-${environmentName}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
    publicNetworkAccessForIngestion: publicAccess
    publicNetworkAccessForQuery: 'Enabled'
  }
}

output logWorkspaceName string = workspace.name
output logWorkspaceId string = workspace.properties.customerId
output logWorkspaceResourceId string = workspace.id
output dataCollectionRuleName string = rule.name
output dataCollectionRuleId string = rule.id
output dataCollectionEndpointId string = endpoint.id
output ingestionEndpoint string = endpoint.properties.logsIngestion.endpoint
output ingestionRuleId string = rule.properties.immutableId
output applicationInsightsName string = insights.name
output applicationInsightsId string = insights.id
output applicationInsightsConnectionString string = insights.properties.ConnectionString
