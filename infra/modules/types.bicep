// Types that several modules take.

@export()
@description('Name and value of each tag.')
type tagsOf = {
  *: string
}

@export()
@description('The Event Grid system topic that a watched subscription has already: Azure allows one a subscription.')
type existingTopic = {
  @description('GUID of the watched subscription.')
  @minLength(36)
  @maxLength(36)
  subscription: string

  @description('Name of the topic.')
  name: string

  @description('Name of its resource group, in that subscription.')
  resourceGroup: string
}
