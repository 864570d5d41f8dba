// What the app may do in a watched management group: the entries of app_access.json on 'watched', and, unless the app
// may only read, those on 'changed'.
targetScope = 'managementGroup'

@description('Object id of the app.')
param principalId string

@description('GUID of the custom role.')
param settingsWriterId string

@description('The value of {condition} in app_access.json.')
param roleCondition string

@description('If true, the app may read but change nothing.')
param readOnly bool

var access = loadJsonContent('../app_access.json')

resource watched 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for one in filter(access.roleAssignments, one => one.on == 'watched'): {
  name: guid(managementGroup().id, principalId, one.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: tenantResourceId('Microsoft.Authorization/roleDefinitions', one.id)
    description: 'amlguard: ${one.role}'
  }
}]

resource changed 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for one in filter(access.roleAssignments, one => one.on == 'changed'): if (!readOnly) {
  name: guid(managementGroup().id, principalId, one.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: tenantResourceId('Microsoft.Authorization/roleDefinitions', one.id == access.roleDefinition.name ? settingsWriterId : one.id)
    description: 'amlguard: ${one.role}'
    condition: contains(one, 'condition') ? replace(one.?condition ?? '', '{condition}', roleCondition) : null
    conditionVersion: contains(one, 'condition') ? '2.0' : null
  }
}]
