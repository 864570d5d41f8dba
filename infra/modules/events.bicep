// The system topic of the subscription that this resource group is in, and the alert on its dead letters.
param environmentName string
param actionGroupId string
param tags object

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'evgst-amlguard-${environmentName}'
  location: 'global'
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: subscription().id
    topicType: 'Microsoft.Resources.Subscriptions'
  }
}

resource deadLettered 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'amlguard-dead-lettered-events'
  location: 'global'
  tags: tags
  properties: {
    description: 'Event Grid gave events up. Runbook: docs/runbooks/dead-lettered-events.md'
    severity: 2
    enabled: true
    autoMitigate: true
    scopes: [
      topic.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead-lettered'
          metricNamespace: 'Microsoft.EventGrid/systemTopics'
          metricName: 'DeadLetteredCount'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}

output name string = topic.name
output principalId string = topic.identity.principalId
