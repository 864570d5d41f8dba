// The app may read but change nothing, which is enough for mode report.
using '../main.bicep'

param environmentName = 'prod'
param readOnly = true
param watchedSubscriptions = [
  '22222222-2222-4222-8222-222222222222'
]
