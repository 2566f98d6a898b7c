// SPDX-License-Identifier: Apache-2.0
// Who is connected as which program: what the COORDINATOR judges a request's
// sender by. Knows neither CAF nor sockets.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "actors/access.hpp"

namespace forkfleet {

/// Safe from any thread. `node` is a program's identity in frames, which the
/// guard has bound to its connection.
class subject_book {
public:
  /// One more connection of the program. Of several, the least role counts:
  /// no connection lends another one more than it has.
  void enter(const std::string& node, const access_subject& who);
  void leave(const std::string& node);

  /// Nobody, with the role `none`, when it is not connected.
  access_subject who_is(std::string_view node) const;

private:
  struct entry {
    access_subject who = {};
    int connections = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, entry, std::less<>> entries_;
};

} // namespace forkfleet
