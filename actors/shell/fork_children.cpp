// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/fork_children.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>

#include "actors/shell/lost_answer.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds repeat_wait{200};

class child_batch {
public:
  child_batch(const std::vector<restore_request>& requests,
              const fork_limits& limits, const fork_calls& calls)
    : requests_{requests}, limits_{limits}, calls_{calls},
      results_(requests.size(), fail(ec::interrupted, "not asked for")) {}

  std::vector<expected<restore_report>> run() {
    const auto wanted =
      std::clamp<std::size_t>(limits_.in_flight, 1, requests_.size());
    std::vector<std::jthread> others;
    try {
      while (others.size() + 1 < wanted)
        others.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // Fewer threads start the same children.
    }
    work();
    others.clear();
    return std::move(results_);
  }

private:
  void work() {
    auto ask = fork_calls::ask{};
    for (auto i = next_++; i < requests_.size(); i = next_++) {
      if (!ask)
        ask = calls_.connect();
      auto result = one(requests_[i], ask);
      const std::lock_guard lock{mutex_};
      results_[i] = std::move(result);
      calls_.ended(i, results_[i]);
    }
  }

  expected<restore_report> one(const restore_request& request,
                               const fork_calls::ask& ask) const {
    const auto end = calls_.now() + limits_.each;
    auto answer = ask(request, limits_.each);
    for (bool is_lost = false; !answer && is_open(answer.error(), is_lost);
         is_lost = true) {
      const auto left =
        std::chrono::duration_cast<milliseconds>(end - calls_.now());
      if (left <= repeat_wait)
        break;
      calls_.wait(repeat_wait);
      answer = ask(request, left - repeat_wait);
    }
    return answer;
  }

  const std::vector<restore_request>& requests_;
  const fork_limits& limits_;
  const fork_calls& calls_;
  std::vector<expected<restore_report>> results_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_ = {};
};

} // namespace

std::vector<expected<restore_report>>
fork_children(const std::vector<restore_request>& requests,
              const fork_limits& limits, const fork_calls& calls) {
  if (requests.empty())
    return {};
  return child_batch{requests, limits, calls}.run();
}

} // namespace forkfleet::shell
