// SPDX-License-Identifier: Apache-2.0
// The shapes of Firecracker's answers.
#pragma once

#include <string>

#include "actors/schema/json_text.hpp"
#include "tests/support/fake_http.hpp"

namespace forkfleet::test {

inline fake_answer data(const schema::json& value) {
  return {.code = 200, .body = schema::dump(value)};
}

inline fake_answer refuse(const std::string& why) {
  return {.code = 400,
          .body = schema::dump(schema::json{{"fault_message", why}})};
}

inline fake_answer misunderstood(const std::string& why) {
  return refuse("An error occurred when deserializing the json body of a "
                "request: "
                + why + ".");
}

inline fake_answer unknown_path(const std::string& method,
                                const std::string& target) {
  return refuse(
    "Invalid request method and/or path: " + method + " "
    + target.substr(target.find_first_not_of('/') == std::string::npos ? 0 : 1)
    + ".");
}

} // namespace forkfleet::test
