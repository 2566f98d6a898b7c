// SPDX-License-Identifier: Apache-2.0
// The messages that a script may send, made of the same tables as
// everything else: JSON in, one message to the COORDINATOR, JSON out.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "actors/client.hpp"
#include "actors/schema/json.hpp"

namespace forkfleet {

/// One message that a script may send.
struct scriptable_message {
  /// As it is named on the command line: "branch_request".
  std::string_view name;
  std::string_view doc;
  /// The reply's name: "branch_report".
  std::string_view reply;
  /// Checks the body, sends, waits, and gives the reply as JSON. A wrong
  /// body is invalid_request with every problem's path.
  expected<schema::json> (*send)(client& fleet, const schema::json& body,
                                 std::chrono::milliseconds timeout);
  /// The body after a check, every default filled in; nothing is sent.
  expected<schema::json> (*check)(const schema::json& body);
  /// JSON Schema of the body and of the reply.
  schema::json (*body_schema)();
  schema::json (*reply_schema)();
};

/// All of them, by name.
const std::vector<scriptable_message>& catalogue();

/// The one named `name`; invalid_request names the nearest.
expected<const scriptable_message*> find_message(std::string_view name);

} // namespace forkfleet
