// SPDX-License-Identifier: Apache-2.0
#include "node/storage/fault.hpp"

#include <csignal>
#include <cstdlib>
#include <string>

namespace forkfleet {

status fault_point(std::string_view place) {
  const char* const wanted = std::getenv(fault_variable);
  if (wanted == nullptr || *wanted == '\0')
    return {};
  const std::string_view text{wanted};
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || text.substr(colon + 1) != place)
    return {};
  const auto kind = text.substr(0, colon);
  if (kind == "kill")
    std::raise(SIGKILL);
  if (kind == "stop")
    std::raise(SIGSTOP);
  if (kind == "fail")
    return fail(ec::io_failed, std::string{fault_variable}
                                 + " asks for a fault at "
                                 + std::string{place});
  return {};
}

} // namespace forkfleet
