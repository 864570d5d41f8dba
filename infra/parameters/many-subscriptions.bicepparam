// The app is in the subscription of the deployment and watches two others.
using '../main.bicep'

param environmentName = 'prod'
param watchedSubscriptions = [
  '22222222-2222-4222-8222-222222222222'
  '33333333-3333-4333-8333-333333333333'
]
param policyFile = 'blob:policy.yaml'
param approvers = [
  '44444444-4444-4444-8444-444444444444'
]
param policyWriters = [
  '55555555-5555-4555-8555-555555555555'
]
param eventsTopic = true
param alertEmail = 'ml-platform@example.com'
param tags = {
  owner: 'ml-platform'
}
