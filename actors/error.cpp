// SPDX-License-Identifier: Apache-2.0
#include "actors/error.hpp"

#include <cerrno>
#include <system_error>

namespace forkfleet {

std::string to_string(ec x) {
  return std::string{schema::name_of(x)};
}

std::string_view remedy(ec x) {
  switch (group_of(x)) {
    case ec_group::none:
      return "nothing to do";
    case ec_group::fix_request:
      return "correct the request";
    case ec_group::later:
      return "try again later, with the same operation id";
    case ec_group::unknown:
      return "ask for the operation by its id before trying again";
    case ec_group::host:
      return "look at the host, or try another one";
    case ec_group::person:
      return "a person must look at this before anything else is done";
  }
  return "unknown error group";
}

std::string to_string(const failure& x) {
  auto text = to_string(x.code);
  return x.message.empty() ? text : text + ": " + x.message;
}

failure errno_failure(int number, std::string_view what, ec otherwise) {
  auto code = otherwise;
  if (number == ENOSPC)
    code = ec::disk_full;
  else if (number == EDQUOT)
    code = ec::quota_exceeded;
  return {code,
          std::string{what} + ": " + std::generic_category().message(number)};
}

} // namespace forkfleet
