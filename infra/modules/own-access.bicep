// What the app may do on its own resources: the entries of app_access.json on each of them.
param principalId string
param storageAccountName string
param dataCollectionRuleName string
param logWorkspaceName string
param applicationInsightsName string

var access = loadJsonContent('../app_access.json')

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName
}

resource rule 'Microsoft.Insights/dataCollectionRules@2024-03-11' existing = {
  name: dataCollectionRuleName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: logWorkspaceName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource onStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for one in filter(access.roleAssignments, one => one.on == 'storageAccount'): {
  name: guid(account.id, principalId, one.id)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', one.id)
    description: 'amlguard: ${one.role}'
  }
}]

resource onRule 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for one in filter(access.roleAssignments, one => one.on == 'dataCollectionRule'): {
  name: guid(rule.id, principalId, one.id)
  scope: rule
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', one.id)
    description: 'amlguard: ${one.role}'
  }
}]

resource onWorkspace 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for one in filter(access.roleAssignments, one => one.on == 'logAnalyticsWorkspace'): {
  name: guid(workspace.id, principalId, one.id)
  scope: workspace
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', one.id)
    description: 'amlguard: ${one.role}'
  }
}]

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for one in filter(access.roleAssignments, one => one.on == 'applicationInsights'): {
  name: guid(insights.id, principalId, one.id)
  scope: insights
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', one.id)
    description: 'amlguard: ${one.role}'
  }
}]
