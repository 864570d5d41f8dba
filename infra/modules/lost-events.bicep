// The alert on events that Event Grid gave up delivering. It keeps them as dead letters, or drops them where there is
// no dead-lettering.
import {tagsOf} from 'types.bicep'

param topicId string
param deadLettering bool
param actionGroupId string
param tags tagsOf

var derived = loadJsonContent('../generated/derived.json')

resource deadLettered 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'amlguard-dead-lettered-events'
  location: 'global'
  tags: tags
  properties: {
    description: 'Event Grid gave up delivering events. Runbook: docs/runbooks/dead-lettered-events.md'
    severity: 2
    enabled: true
    autoMitigate: true
    scopes: [
      topicId
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
          metricName: deadLettering ? 'DeadLetteredCount' : 'DroppedEventCount'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
          // An existing topic may have event subscriptions of other people.
          dimensions: [
            {
              name: 'EventSubscriptionName'
              operator: 'Include'
              values: map(derived.eventSubscriptions, one => one.name)
            }
          ]
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
