// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/branch_call.hpp"

#include <algorithm>
#include <optional>

#include "actors/shell/lost_answer.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds wait_min{100};
constexpr milliseconds wait_max{2000};
constexpr milliseconds query_limit{5000};

/// One operation that somebody must know the end of.
class inquiry {
public:
  inquiry(const branch_request& request, milliseconds limit,
          const branch_calls& calls)
    : request_{request}, calls_{calls}, end_{calls.now() + limit} {}

  expected<branch_report> run() {
    auto answer = calls_.branch(request_, left());
    bool is_lost = false;
    while (!answer && is_open(answer.error(), is_lost) && left().count() > 0) {
      is_lost = true;
      last_ = answer.error();
      auto known = ask_by_id();
      if (known)
        return *known;
      // Nobody knows it, so it never started or its answer comes back.
      if (left().count() > 0)
        answer = calls_.branch(request_, left());
    }
    if (answer || !is_open(answer.error(), is_lost))
      return answer;
    return fail(ec::deadline_exceeded,
                "how the branch " + request_.operation.value
                  + " ended is not known yet (" + to_string(answer.error())
                  + "); ask: forkfleet status " + request_.operation.value);
  }

private:
  milliseconds left() const {
    const auto left =
      std::chrono::duration_cast<milliseconds>(end_ - calls_.now());
    return std::max(left, milliseconds{0});
  }

  /// Empty: nobody knows the id, or the time is over.
  std::optional<expected<branch_report>> ask_by_id() {
    while (left().count() > 0) {
      calls_.wait(std::min(wait_, left()));
      wait_ = std::min(wait_ * 2, wait_max);
      const auto status =
        calls_.query({request_.operation}, std::min(left(), query_limit));
      if (!status && is_open(status.error(), true))
        continue;
      if (!status)
        return tl::unexpected{status.error()};
      if (status->state == operation_state::ended)
        return status->report;
      if (status->state == operation_state::unknown)
        return std::nullopt;
    }
    return std::nullopt;
  }

  const branch_request& request_;
  const branch_calls& calls_;
  branch_calls::time_point end_;
  milliseconds wait_ = wait_min;
  failure last_ = {};
};

} // namespace

expected<branch_report> branch_until_known(const branch_request& request,
                                           milliseconds limit,
                                           const branch_calls& calls) {
  return inquiry{request, limit, calls}.run();
}

} // namespace forkfleet::shell
