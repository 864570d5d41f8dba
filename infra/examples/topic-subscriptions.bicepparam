// Who is told of what amlguard did: a queue and a webhook, at the topic of a deployment with eventsTopic=true.
using 'topic-subscriptions.bicep'

param topicName = 'evgt-amlguard-prod'
param storageAccountName = 'stcontosotickets'
param webhook = 'https://tickets.example.com/amlguard'
