// A system topic that already exists. This module reads it and never changes it, because others use it, too.
param name string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: name
}

var about = toLower(topic.properties.source)

output id string = about == toLower(subscription().id)
  ? topic.id
  : fail('The system topic ${name} is about ${about}, not about ${subscription().id}.')

@description('The principal id of its system-assigned identity. Empty if it has none.')
output principalId string = topic.?identity.?principalId ?? ''
