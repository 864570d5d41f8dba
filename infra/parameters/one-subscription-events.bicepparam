// Second pass of one-subscription, once the code is deployed. Event Grid accepts a function only when it exists.
using '../main.bicep'

param environmentName = 'prod'
param eventsEnabled = true
