// A system topic that is there already. It is read, and never changed: others listen to it too.
param name string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: name
}

var about = toLower(topic.properties.source)

output id string = about == toLower(subscription().id)
  ? topic.id
  : fail('The system topic ${name} is about ${about}, not about ${subscription().id}.')

@description('Of its system-assigned identity. Empty where it has none.')
output principalId string = topic.?identity.?principalId ?? ''
