#include "admin/openapi.h"

namespace df::admin {

std::string_view SchemasText() {
  return R"json({
  "Problem": {
    "type": "object",
    "description": "A refusal. code is stable, message is for people.",
    "required": ["status", "code", "message", "problems"],
    "additionalProperties": false,
    "properties": {
      "status": {"type": "integer"},
      "code": {"type": "string"},
      "message": {"type": "string"},
      "problems": {"type": "array", "items": {"$ref": "#/components/schemas/RequestProblem"}}
    }
  },
  "RequestProblem": {
    "type": "object",
    "required": ["path", "message"],
    "additionalProperties": false,
    "properties": {
      "line": {"type": "integer", "description": "of the body, from 1"},
      "column": {"type": "integer"},
      "path": {"type": "string", "description": "a key path or the name of a parameter"},
      "message": {"type": "string"}
    }
  },
  "OperationProblem": {
    "type": "object",
    "required": ["status", "code", "message", "problems"],
    "additionalProperties": false,
    "properties": {
      "status": {"type": "integer"},
      "code": {"type": "string"},
      "message": {"type": "string"},
      "problems": {"type": "array", "items": {"$ref": "#/components/schemas/RequestProblem"}},
      "operation": {"$ref": "#/components/schemas/Operation"}
    }
  },
  "Phase": {
    "type": "string",
    "enum": ["pending", "starting", "running", "updating", "rolling_back", "draining", "stopped",
             "rejected", "failed", "deleting", "deleted"]
  },
  "Instance": {
    "type": "object",
    "description": "One pipeline on one core.",
    "required": ["index", "core", "phase", "generation", "restarts", "reason", "since"],
    "additionalProperties": false,
    "properties": {
      "index": {"type": "integer"},
      "core": {"type": ["integer", "null"]},
      "phase": {"$ref": "#/components/schemas/Phase"},
      "generation": {"type": "integer"},
      "restarts": {"type": "integer", "description": "since the process began"},
      "reason": {"type": "string", "description": "why it is in this phase; may be empty"},
      "since": {"type": "string", "format": "date-time"}
    }
  },
  "Operation": {
    "type": "object",
    "description": "What was asked of a pipeline and goes on, or has ended.",
    "required": ["id", "kind", "state", "action", "reason", "started", "updated"],
    "additionalProperties": false,
    "properties": {
      "id": {"type": "string"},
      "kind": {"type": "string", "enum": ["rollout", "stop", "start", "delete"]},
      "state": {"type": "string", "enum": ["pending", "running", "succeeded", "failed",
                "rolling_back", "rolled_back", "rollback_failed"]},
      "action": {"type": "string", "description": "of a rollout: create, noop, apply_in_place, resize, replace; take_back, which the engine begins itself"},
      "reason": {"type": "string", "description": "of a failure; of a success, what is to be known about it"},
      "started": {"type": "string", "format": "date-time"},
      "updated": {"type": "string", "format": "date-time"}
    }
  },
  "FailingDestination": {
    "type": "object",
    "description": "An exporter that delivers nothing: every batch since then was refused.",
    "required": ["node", "core", "since", "refused_batches", "reason"],
    "additionalProperties": false,
    "properties": {
      "node": {"type": "string"},
      "core": {"type": ["integer", "null"]},
      "since": {"type": "string", "format": "date-time"},
      "refused_batches": {"type": "integer", "description": "each attempt by itself, since the exporter was started"},
      "reason": {"type": "string"}
    }
  },
  "PipelineStatus": {
    "type": "object",
    "required": ["group", "pipeline", "phase", "generation", "is_live", "is_ready", "instances",
                 "failing", "paused", "operations"],
    "additionalProperties": false,
    "properties": {
      "group": {"type": "string"},
      "pipeline": {"type": "string"},
      "phase": {"$ref": "#/components/schemas/Phase"},
      "generation": {"type": "integer"},
      "is_live": {"type": "boolean"},
      "is_ready": {"type": "boolean"},
      "instances": {"type": "array", "items": {"$ref": "#/components/schemas/Instance"}},
      "failing": {"type": "array", "items": {"$ref": "#/components/schemas/FailingDestination"}},
      "paused": {
        "type": "array",
        "description": "receivers that are held before their next batch",
        "items": {
          "type": "object",
          "required": ["node", "since", "batches"],
          "additionalProperties": false,
          "properties": {
            "node": {"type": "string"},
            "since": {"type": "string", "format": "date-time"},
            "batches": {"type": "integer", "description": "that steps have let through since then"}
          }
        }
      },
      "operations": {"type": "array", "items": {"$ref": "#/components/schemas/Operation"},
                     "description": "the newest last; ended ones are kept for a while"}
    }
  },
  "Pipeline": {
    "type": "object",
    "required": ["group", "pipeline", "generation", "phase", "document"],
    "additionalProperties": false,
    "properties": {
      "group": {"type": "string"},
      "pipeline": {"type": "string"},
      "generation": {"type": "integer"},
      "phase": {"$ref": "#/components/schemas/Phase"},
      "document": {"description": "the effective document of the pipeline"}
    }
  },
  "EngineStatus": {
    "type": "object",
    "required": ["generated_at", "version", "started_at", "uptime_seconds", "is_draining",
                 "is_live", "is_ready", "is_degraded", "memory", "pipelines"],
    "additionalProperties": false,
    "properties": {
      "generated_at": {"type": "string", "format": "date-time"},
      "version": {"type": "string"},
      "started_at": {"type": "string", "format": "date-time"},
      "uptime_seconds": {"type": "number"},
      "is_draining": {"type": "boolean"},
      "is_live": {"type": "boolean"},
      "is_ready": {"type": "boolean"},
      "is_degraded": {"type": "boolean", "description": "an exporter delivers nothing"},
      "memory": {
        "type": "object",
        "required": ["resident_bytes", "arrow_bytes"],
        "additionalProperties": false,
        "properties": {
          "resident_bytes": {"type": "integer", "description": "of the process"},
          "arrow_bytes": {"type": "integer", "description": "of columns, as their allocator counts"}
        }
      },
      "pipelines": {"type": "array", "items": {"$ref": "#/components/schemas/PipelineStatus"}}
    }
  },
  "Probe": {
    "type": "object",
    "required": ["status", "reasons"],
    "additionalProperties": false,
    "properties": {
      "status": {"type": "string", "enum": ["ok", "degraded", "failing"]},
      "reasons": {
        "type": "array",
        "description": "why it is failing or degraded, and what is paused; empty for a client without the token",
        "items": {
          "type": "object",
          "required": ["group", "pipeline", "reason"],
          "additionalProperties": false,
          "properties": {
            "group": {"type": "string", "description": "empty: it is about the engine"},
            "pipeline": {"type": "string"},
            "reason": {"type": "string"}
          }
        }
      }
    }
  },
  "LogLevel": {
    "type": "object",
    "required": ["level"],
    "additionalProperties": false,
    "properties": {
      "level": {"type": "string", "enum": ["debug", "info", "warning", "error"]}
    }
  },
  "Logs": {
    "type": "object",
    "required": ["last_sequence", "num_missed", "records"],
    "additionalProperties": false,
    "properties": {
      "last_sequence": {"type": "integer", "description": "of the newest record there is; 0: none"},
      "num_missed": {"type": "integer",
                     "description": "records after `after` that are not kept any more"},
      "records": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["sequence", "time", "level", "event", "message", "attributes"],
          "additionalProperties": false,
          "properties": {
            "sequence": {"type": "integer"},
            "time": {"type": "string", "format": "date-time"},
            "level": {"type": "string", "enum": ["debug", "info", "warning", "error"]},
            "event": {"type": "string", "description": "a constant name; may be empty"},
            "message": {"type": "string"},
            "attributes": {"type": "object"}
          }
        }
      }
    }
  },
  "Reload": {
    "type": "object",
    "required": ["state", "changes", "notices"],
    "additionalProperties": false,
    "properties": {
      "state": {"type": "string", "enum": ["running", "succeeded", "failed"]},
      "changes": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["group", "pipeline", "operation", "refusal"],
          "additionalProperties": false,
          "properties": {
            "group": {"type": "string"},
            "pipeline": {"type": "string"},
            "operation": {"anyOf": [{"$ref": "#/components/schemas/Operation"}, {"type": "null"}]},
            "refusal": {"type": "string"}
          }
        }
      },
      "notices": {"type": "array", "items": {"type": "string"}}
    }
  },
  "ReloadOrProblem": {
    "anyOf": [
      {"$ref": "#/components/schemas/Reload"},
      {"$ref": "#/components/schemas/Problem"}
    ]
  },
  "Tapped": {
    "type": "object",
    "required": ["is_new", "dropped_batches", "dropped_items", "requests"],
    "additionalProperties": false,
    "properties": {
      "is_new": {"type": "boolean"},
      "dropped_batches": {"type": "integer"},
      "dropped_items": {"type": "integer"},
      "requests": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["signal", "request"],
          "additionalProperties": false,
          "properties": {
            "signal": {"type": "string", "enum": ["logs", "traces", "metrics"]},
            "request": {"type": "object"}
          }
        }
      }
    }
  },
  "Shutdown": {
    "type": "object",
    "required": ["state", "pipelines"],
    "additionalProperties": false,
    "properties": {
      "state": {"type": "string", "enum": ["draining", "ended"]},
      "pipelines": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["group", "pipeline", "phase"],
          "additionalProperties": false,
          "properties": {
            "group": {"type": "string"},
            "pipeline": {"type": "string"},
            "phase": {"$ref": "#/components/schemas/Phase"}
          }
        }
      }
    }
  }
})json";
}

}  // namespace df::admin
