// The system topic of the subscription that this resource group is in.
import {tagsOf} from 'types.bicep'

param environmentName string
param tags tagsOf

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'evgst-amlguard-${environmentName}'
  location: 'global'
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: subscription().id
    topicType: 'Microsoft.Resources.Subscriptions'
  }
}

output id string = topic.id
output principalId string = topic.identity.principalId
