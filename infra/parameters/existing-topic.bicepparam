// Second pass where a watched subscription already has its system topic. Azure allows one for each subscription.
using '../main.bicep'

param environmentName = 'prod'
param watchedSubscriptions = [
  '22222222-2222-4222-8222-222222222222'
  '33333333-3333-4333-8333-333333333333'
]
param existingTopics = [
  {
    subscription: '33333333-3333-4333-8333-333333333333'
    name: 'evgst-platform'
    resourceGroup: 'rg-platform-events'
  }
]
param eventsEnabled = true
param alertEmail = 'ml-platform@example.com'
param tags = {
  owner: 'ml-platform'
}
