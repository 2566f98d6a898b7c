// SPDX-License-Identifier: Apache-2.0
// What the link's own parts say to each other. None of it crosses the wire.
#pragma once

#include <cstdint>
#include <tuple>

#include <caf/type_id.hpp>

#include "actors/schema/fields.hpp"
#include "actors/wire.hpp"

namespace forkfleet {

/// INTERNAL. A dial has ended; its outcome lies with the connector.
struct dial_ended {
  uint64_t dial = 0;

  static constexpr schema::about about{"dial_ended", "A dial has ended."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("dial", &dial_ended::dial, "Which."),
    };
  }
};

/// INTERNAL. A client's question may be put.
struct question_begun {
  uint64_t question = 0;

  static constexpr schema::about about{"question_begun", "Ask now."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("question", &question_begun::question, "Which."),
    };
  }
};

} // namespace forkfleet

CAF_BEGIN_TYPE_ID_BLOCK(forkfleet_link, first_custom_type_id + 240)
  CAF_ADD_TYPE_ID(forkfleet_link, (forkfleet::dial_ended))
  CAF_ADD_TYPE_ID(forkfleet_link, (forkfleet::question_begun))
CAF_END_TYPE_ID_BLOCK(forkfleet_link)
