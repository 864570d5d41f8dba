// Gives the rights once, at the management group. Events come from the listed subscriptions.
using '../management-group.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param hostSubscription = '11111111-1111-4111-8111-111111111111'
param watchedSubscriptions = [
  '22222222-2222-4222-8222-222222222222'
  '33333333-3333-4333-8333-333333333333'
]
param alertEmail = 'ml-platform@example.com'
param tags = {
  owner: 'ml-platform'
}
