// SPDX-License-Identifier: Apache-2.0
// Access to a guest: programs and files through its agent, and its console.
// Structs only; knows no CAF.
#pragma once

#include "actors/branch_protocol.hpp"

namespace forkfleet {

/// What is asked of a program in a guest.
enum class exec_action : uint8_t { start, look, kill, forget };

constexpr auto enum_table(exec_action) {
  using enum exec_action;
  return std::to_array<schema::enum_entry<exec_action>>({
    {start, "start", "run it, once per operation id"},
    {look, "look", "what it has printed since, and whether it has ended"},
    {kill, "kill", "end its process group: SIGTERM, then SIGKILL"},
    {forget, "forget", "drop what is kept of one that has ended"},
  });
}

/// How far an output has been read. The guest keeps it in segments, and drops
/// those before this one.
struct stream_position {
  uint64_t segment = 0;
  uint64_t offset = 0;

  friend bool operator==(const stream_position&,
                         const stream_position&) = default;
  static constexpr schema::about about{"stream_position",
                                       "How far an output has been read."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("segment", &stream_position::segment, "Which segment."),
      schema::field("offset", &stream_position::offset,
                    "How much of it is known."),
    };
  }
};

/// A piece of an output.
struct stream_piece {
  std::string content = {}; // base64
  stream_position next = {};
  bool has_ended = false;

  friend bool operator==(const stream_piece&, const stream_piece&) = default;
  static constexpr schema::about about{"stream_piece", "A piece of an output."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("content", &stream_piece::content,
                    "What came from the asked position on, as base64."),
      schema::field("next", &stream_piece::next, "Where to read on."),
      schema::field("has_ended", &stream_piece::has_ended,
                    "Whether nothing will follow."),
    };
  }
};

/// Runs a program in a guest, looks at it, ends it, or drops what is kept.
struct exec_request {
  operation_id operation = {};
  sandbox_id sandbox = {};
  exec_action action = exec_action::start;
  std::vector<std::string> arguments = {};   // the program first
  std::vector<std::string> environment = {}; // NAME=VALUE
  std::string directory = {};
  bool has_input = false;
  milliseconds limit{0};
  stream_position output = {};
  stream_position errors = {};
  milliseconds deadline{0};
  uint64_t epoch = 0;

  friend bool operator==(const exec_request&, const exec_request&) = default;
  static constexpr schema::about about{
    "exec_request", "Run a program in a guest, look at it, or end it.",
    schema::access::scriptable};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("operation", &exec_request::operation,
            "Names the program; a start that is repeated with it runs nothing "
            "a second time.",
            schema::need::required),
      field("sandbox", &exec_request::sandbox, "Which guest.",
            schema::need::required),
      field("action", &exec_request::action, "What to do."),
      field("arguments", &exec_request::arguments,
            "The program and its arguments; for start."),
      field("environment", &exec_request::environment,
            "NAME=VALUE, over /run/forkfleet/env; for start."),
      field("directory", &exec_request::directory,
            "Where it runs; its agent's directory when empty."),
      field("has_input", &exec_request::has_input,
            "Whether it reads /run/forkfleet/exec/OPERATION.in, which must "
            "have been written before; else it has nothing to read."),
      field("limit_ms", &exec_request::limit,
            "When the guest itself ends it; 0: never."),
      field("output", &exec_request::output,
            "How much of its output is known; for look."),
      field("errors", &exec_request::errors,
            "How much of its error output is known; for look."),
      field("deadline_ms", &exec_request::deadline,
            "For the answer; 0 takes the node's."),
      field("epoch", &exec_request::epoch, "The coordinator's epoch.",
            schema::need::optional, schema::access::internal),
    };
  }
};

/// Where a program in a guest stands.
struct exec_report {
  operation_id operation = {};
  stream_piece output = {};
  stream_piece errors = {};
  bool has_exited = false;
  uint64_t status = 0;
  bool was_late = false;

  friend bool operator==(const exec_report&, const exec_report&) = default;
  static constexpr schema::about about{"exec_report",
                                       "Where a program in a guest stands."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("operation", &exec_report::operation, "Its name."),
      field("output", &exec_report::output, "What it printed."),
      field("errors", &exec_report::errors, "The same of its error output."),
      field("has_exited", &exec_report::has_exited,
            "Whether it has ended; what it printed may still follow."),
      field("status", &exec_report::status,
            "Its exit status; 128 and the signal's number when a signal "
            "killed it, 126 and 127 when it could not be run."),
      field("was_late", &exec_report::was_late,
            "Whether its limit in time ended it."),
    };
  }
};

/// Whether a piece of a guest's file is read or written.
enum class file_action : uint8_t { read, write };

constexpr auto enum_table(file_action) {
  using enum file_action;
  return std::to_array<schema::enum_entry<file_action>>({
    {read, "read"},
    {write, "write", "over what is there; the file must be there"},
  });
}

/// Reads or writes one piece of a file in a guest.
struct file_request {
  sandbox_id sandbox = {};
  file_action action = file_action::read;
  std::string path = {};
  uint64_t offset = 0;
  std::string content = {}; // base64
  milliseconds deadline{0};
  uint64_t epoch = 0;

  friend bool operator==(const file_request&, const file_request&) = default;
  static constexpr schema::about about{
    "file_request", "Read or write one piece of a file in a guest.",
    schema::access::scriptable};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("sandbox", &file_request::sandbox, "Which guest.",
            schema::need::required),
      field("action", &file_request::action, "Read or write."),
      field("path", &file_request::path, "Which file; absolute.",
            schema::need::required),
      field("offset", &file_request::offset, "Where the piece begins."),
      field("content", &file_request::content,
            "What to write, as base64; at most 64 KiB of it."),
      field("deadline_ms", &file_request::deadline,
            "For the answer; 0 takes the node's."),
      field("epoch", &file_request::epoch, "The coordinator's epoch.",
            schema::need::optional, schema::access::internal),
    };
  }
};

/// A piece of a guest's file, or what was written of it.
struct file_report {
  std::string content = {}; // base64
  uint64_t next = 0;
  bool has_ended = false;

  friend bool operator==(const file_report&, const file_report&) = default;
  static constexpr schema::about about{"file_report",
                                       "A piece of a guest's file."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("content", &file_report::content, "What was read, as base64."),
      field("next", &file_report::next, "Where the next piece begins."),
      field("has_ended", &file_report::has_ended,
            "Whether the file ended with this piece."),
    };
  }
};

/// Reads a piece of what a sandbox' serial console printed.
struct console_request {
  sandbox_id sandbox = {};
  uint64_t offset = 0;
  uint64_t tail = 0;
  milliseconds deadline{0};
  uint64_t epoch = 0;

  friend bool operator==(const console_request&,
                         const console_request&) = default;
  static constexpr schema::about about{
    "console_request", "Read a piece of what a sandbox' console printed.",
    schema::access::scriptable};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("sandbox", &console_request::sandbox, "Which one.",
            schema::need::required),
      field("offset", &console_request::offset, "Where the piece begins."),
      field("tail", &console_request::tail,
            "Not 0: the piece begins before that many last lines, in the last "
            "64 KiB, whatever the offset."),
      field("deadline_ms", &console_request::deadline,
            "For the answer; 0 takes the node's."),
      field("epoch", &console_request::epoch, "The coordinator's epoch.",
            schema::need::optional, schema::access::internal),
    };
  }
};

/// A piece of what a console printed.
struct console_report {
  std::string content = {}; // base64
  uint64_t offset = 0;
  uint64_t next = 0;
  bool has_ended = false;
  uint64_t dropped_bytes = 0;

  friend bool operator==(const console_report&,
                         const console_report&) = default;
  static constexpr schema::about about{"console_report",
                                       "A piece of what a console printed."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("content", &console_report::content, "It, as base64."),
      field("offset", &console_report::offset, "Where it begins."),
      field("next", &console_report::next, "Where the next piece begins."),
      field("has_ended", &console_report::has_ended,
            "Whether this was all that there is by now."),
      field("dropped_bytes", &console_report::dropped_bytes,
            "What was printed just before the piece and is not kept any "
            "more, where that was asked for."),
    };
  }
};

/// The most that one message carries of files and outputs, before base64.
inline constexpr std::size_t guest_bytes_max = 64 * 1024;

/// The bounds of one program's arguments and environment, together.
inline constexpr std::size_t exec_words_max = 1024;
inline constexpr std::size_t exec_bytes_max = 64 * 1024;

/// How long a guest may let a program run, at most.
inline constexpr milliseconds exec_limit_max{7LL * 24 * 3600 * 1000};

/// For one answer of a guest's agent: when nobody says, and at most.
inline constexpr milliseconds access_deadline{10'000};
inline constexpr milliseconds access_deadline_max{30'000};

} // namespace forkfleet
