// The app is in the subscription of the deployment and watches two others.
using '../main.bicep'

param environmentName = 'prod'
param watchedSubscriptions = [
  '22222222-2222-4222-8222-222222222222'
  '33333333-3333-4333-8333-333333333333'
]
param alertEmail = 'ml-platform@example.com'
param tags = {
  owner: 'ml-platform'
}
