// The app may send events to its topic: the entries of app_access.json that are on a topic.
param principalId string
param topicName string

var access = loadJsonContent('../app_access.json')

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource onTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for one in filter(access.roleAssignments, one => one.on == 'topic'): {
  name: guid(topic.id, principalId, one.id)
  scope: topic
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', one.id)
    description: 'amlguard: ${one.role}'
  }
}]
