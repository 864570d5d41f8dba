// Second pass of network-isolated.
using '../main.bicep'

param environmentName = 'prod'
param networkIsolated = true
param addressPrefix = '10.90.0.0/24'
param appPrefix = '10.90.0.0/26'
param endpointsPrefix = '10.90.0.64/26'
param eventsEnabled = true
param zoneRedundantStorage = true
param eventsTopic = true
