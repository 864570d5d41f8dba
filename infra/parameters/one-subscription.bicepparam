// amlguard and what it watches in one subscription. First pass: everything but the events.
using '../main.bicep'

param environmentName = 'prod'
