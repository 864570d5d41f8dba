// amlguard and the workspaces that it watches are in one subscription. First pass: everything except the events.
using '../main.bicep'

param environmentName = 'prod'
