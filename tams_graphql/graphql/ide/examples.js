"use strict";
// One tab each; `tests/graphql/test_ide_assets.py` validates all of them against the schema.
window.TAMS_EXAMPLES = [
  {
    query: `# From Sources to playable URLs, in one request:
# the Flows of the latest Sources, and of each the first 5 seconds.
query SourcesToUrls($timerange: TimeRange = "[0:0_5:0)") {
  sources(first: 5) {
    nodes {
      sourceId
      format
      label
      flows(first: 3) {
        nodes {
          __typename
          flowId
          label
          codec
          timerange { timerange duration }
          segments(timerange: $timerange, first: 50) {
            nodes {
              timerange
              objectId
              getUrls { url label }
            }
            pageInfo { hasNextPage endCursor }
          }
        }
      }
    }
  }
}
`,
  },
  {
    query: `# Where the latest Flows have content, and where they have holes.
query CoverageAndGaps($minGap: Timestamp! = "0:0") {
  flows(first: 5) {
    nodes {
      flowId
      label
      segmentCount
      coverage(minGap: $minGap) { timerange start end duration }
      gaps(minDuration: $minGap) { timerange duration }
    }
  }
}
`,
  },
  {
    query: `# Step 1 of an ingest: a Flow, made with its Source.
mutation MakeFlow($input: PutFlowInput!) {
  putFlow(input: $input) {
    created
    flow { flowId sourceId label }
    errors { code field message }
  }
}
`,
    variables: `{
  "input": {
    "flowId": "00000000-0000-4000-8000-000000000001",
    "label": "Camera 1",
    "codec": "video/h264",
    "container": "video/mp2t",
    "essence": {
      "video": { "frameWidth": 1920, "frameHeight": 1080, "frameRate": { "numerator": 25 } }
    }
  }
}`,
  },
  {
    query: `# Step 2: where to upload its Media Objects (PUT them to the URLs).
# Sent again with its key, it gives the same answer.
mutation Allocate($input: AllocateStorageInput!) {
  allocateStorage(input: $input) {
    objects { objectId upload { url contentType headers { name value } } }
    errors { code field message }
  }
}
`,
    variables: `{
  "input": {
    "flowId": "00000000-0000-4000-8000-000000000001",
    "objectIds": ["camera-1/0001", "camera-1/0002"],
    "idempotencyKey": "camera-1, the first two"
  }
}`,
  },
  {
    query: `# Step 3: put them on the Flow's timeline.
mutation Register($input: RegisterSegmentsInput!) {
  registerSegments(input: $input) {
    registeredCount
    registered { timerange objectId }
    failed { index objectId errors { code message } }
    errors { code field message }
  }
}
`,
    variables: `{
  "input": {
    "flowId": "00000000-0000-4000-8000-000000000001",
    "segments": [
      { "objectId": "camera-1/0001", "timerange": "[0:0_2:0)" },
      { "objectId": "camera-1/0002", "timerange": "[2:0_4:0)" }
    ]
  }
}`,
  },
  {
    query: `# An edit without copying a byte: a new Flow made of pieces of others.
mutation Compose($input: ComposeFlowInput!) {
  composeFlow(input: $input) {
    flow { flowId timerange { timerange } segmentCount }
    errors { code field message }
  }
}
`,
    variables: `{
  "input": {
    "label": "Highlights",
    "codec": "video/h264",
    "container": "video/mp2t",
    "essence": {
      "video": { "frameWidth": 1920, "frameHeight": 1080, "frameRate": { "numerator": 25 } }
    },
    "clips": [
      { "flowId": "00000000-0000-4000-8000-000000000001", "timerange": "[0:0_2:0)" }
    ]
  }
}`,
  },
  {
    query: `# Everything that changes, as it happens: run it, then run a mutation in another tab.
subscription Follow($filter: EventFilter, $after: String) {
  events(filter: $filter, after: $after) {
    __typename
    ... on LoggedEvent { cursor occurredAt actor sourceId }
    ... on FlowEvent { flowId }
    ... on FlowUpdated { flow { label status } }
    ... on SegmentsAdded { segments { timerange objectId } }
    ... on SegmentsDeleted { timerange { timerange } }
  }
}
`,
    variables: `{
  "filter": { "types": ["FLOWS_CREATED", "FLOWS_UPDATED", "FLOWS_SEGMENTS_ADDED"] }
}`,
  },
  {
    query: `# For a player of a live Flow: what was added after a cursor, and then what is being added.
# Take the cursor first ({ eventLog { cursor } }), then read the Flow, then follow it from there.
subscription Live($flowId: UUID!, $after: String) {
  segmentsAdded(flowId: $flowId, after: $after) {
    cursor
    segments { timerange getUrls(filter: { presigned: true }) { url } }
    flow { segmentCount timerange { timerange } }
  }
}
`,
    variables: `{
  "flowId": "00000000-0000-4000-8000-000000000001"
}`,
  },
];
