// SPDX-License-Identifier: Apache-2.0
#include "actors/client.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/harden.hpp"
#include "actors/link/link.hpp"
#include "actors/link/messages.hpp"
#include "actors/system_config.hpp"

namespace forkfleet {

namespace {

// What an answer may be late by the scheduler's fault.
constexpr milliseconds slack{2000};
constexpr milliseconds pause_between_dials{100};

using asker_actor = caf::typed_actor<caf::reacts_to<question_begun>>;

template <class Reply>
using answer_ptr = std::shared_ptr<std::promise<expected<Reply>>>;

struct asker_state {
  static inline const char* name = "asker";
  // Else CAF would initialise the first member, as C++20 allows for an
  // aggregate, with its own pointer to the actor: a bool would be true.
  asker_state() = default;
  bool is_settled = false;
};

template <class Reply, class Self>
void settle(Self self, const answer_ptr<Reply>& answer, expected<Reply> x) {
  if (std::exchange(self->state.is_settled, true))
    return;
  answer->set_value(std::move(x));
  self->quit();
}

// Puts one question. Ends with the answer, the coordinator, or the limit.
template <class Reply, class Request>
asker_actor::behavior_type
asker(asker_actor::stateful_pointer<asker_state> self, coordinator_actor whom,
      Request request, milliseconds limit, answer_ptr<Reply> answer) {
  harden(self);
  self->set_down_handler([self, answer](const caf::down_msg&) {
    settle<Reply>(self, answer,
                  fail(ec::node_down,
                       "the connection to the coordinator was lost before "
                       "it answered"));
  });
  return {
    [self, whom, request, limit, answer](const question_begun&) {
      self->monitor(whom);
      self->request(whom, limit, request)
        .then([self,
               answer](Reply& x) { settle<Reply>(self, answer, std::move(x)); },
              [self, answer](const caf::error& x) {
                settle<Reply>(self, answer, tl::unexpected(from_caf_error(x)));
              });
    },
  };
}

bool is_worth_another_dial(ec x) {
  return x == ec::node_down || x == ec::not_ready || x == ec::deadline_exceeded
         || x == ec::interrupted;
}

} // namespace

class client::impl {
public:
  explicit impl(client_settings settings)
    : settings_(std::move(settings)), config_({.threads = 1}), system_(config_),
      link_(system_, settings_.limits),
      connector_(link_.connector(settings_.coordinator, settings_.tls)) {
    // nop
  }

  ~impl() { watchdog_.arm(); }

  status connect() {
    if (coordinator_ && !*is_lost_)
      return {};
    coordinator_ = nullptr;
    if (auto fine = check_node_identity(system_); !fine)
      return fine;
    const auto until = system_.clock().now() + settings_.connect;
    auto reason = failure{};
    for (;;) {
      const auto left =
        std::chrono::duration_cast<milliseconds>(until - system_.clock().now());
      auto found = dial(std::max(left, pause_between_dials));
      if (found)
        return use(*found);
      const auto& why = found.error();
      // The last dials have little time: that they ran out of it tells less
      // than what the first one met.
      if (!reason || why.code != ec::deadline_exceeded)
        reason = why;
      if (!is_worth_another_dial(why.code) || left <= 2 * pause_between_dials)
        return tl::unexpected(in_all(reason));
      std::this_thread::sleep_for(pause_between_dials);
    }
  }

  template <class Reply, class Request>
  expected<Reply> ask(const Request& request, milliseconds timeout) {
    if (auto there = connect(); !there)
      return tl::unexpected(there.error());
    auto answer = std::make_shared<std::promise<expected<Reply>>>();
    auto future = answer->get_future();
    const auto who = system_.spawn(asker<Reply, Request>, coordinator_, request,
                                   timeout, answer);
    caf::anon_send(who, question_begun{});
    if (future.wait_for(timeout + slack) == std::future_status::ready)
      return future.get();
    return fail(ec::deadline_exceeded, "no answer within the deadline");
  }

private:
  /// How long it was tried in all stands in place of one dial's limit.
  failure in_all(failure why) const {
    if (why.code == ec::deadline_exceeded)
      why.message = "no connection to " + to_string(settings_.coordinator)
                    + " within " + std::to_string(settings_.connect.count())
                    + " ms: it does not answer";
    return why;
  }

  expected<coordinator_actor> dial(milliseconds limit) {
    auto found = expected<coordinator_actor>{
      fail(ec::deadline_exceeded, "no answer from the connector")};
    auto self = caf::scoped_actor{system_};
    self->request(connector_, limit + slack, connect_request{limit})
      .receive([&found](const coordinator_actor& x) { found = x; },
               [&found](const caf::error& x) {
                 found = tl::unexpected(from_caf_error(x));
               });
    return found;
  }

  status use(const coordinator_actor& found) {
    coordinator_ = found;
    is_lost_ = std::make_shared<std::atomic<bool>>(false);
    caf::actor_cast<caf::abstract_actor*>(found)->attach_functor(
      [flag = is_lost_](const caf::error&) { *flag = true; });
    return {};
  }

  client_settings settings_;
  end_watchdog watchdog_;
  system_config config_;
  caf::actor_system system_;
  fleet_link link_;
  connector_actor connector_;
  coordinator_actor coordinator_;
  std::shared_ptr<std::atomic<bool>> is_lost_;
};

client::client(client_settings settings)
  : impl_(std::make_unique<impl>(std::move(settings))) {
  // nop
}

client::~client() = default;
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;

status client::connect() {
  return impl_->connect();
}

template <class Reply, class Request>
expected<Reply> client::ask(const Request& request,
                            std::chrono::milliseconds timeout) {
  return impl_->ask<Reply>(request, timeout);
}

// The pairs of `client_api` and `upkeep_api`.
template expected<branch_report> client::ask(const branch_request&,
                                             milliseconds);
template expected<operation_status> client::ask(const operation_query&,
                                                milliseconds);
template expected<restore_report> client::ask(const restore_request&,
                                              milliseconds);
template expected<done> client::ask(const stop_request&, milliseconds);
template expected<done> client::ask(const remove_request&, milliseconds);
template expected<node_list> client::ask(const nodes_request&, milliseconds);
template expected<sandbox_list> client::ask(const sandboxes_request&,
                                            milliseconds);
template expected<snapshot_list> client::ask(const snapshots_request&,
                                             milliseconds);
template expected<event_list> client::ask(const events_request&, milliseconds);
template expected<done> client::ask(const cancel_request&, milliseconds);
template expected<done> client::ask(const flatten_request&, milliseconds);
template expected<verify_report> client::ask(const verify_request&,
                                             milliseconds);
template expected<archive_report> client::ask(const export_request&,
                                              milliseconds);
template expected<archive_report> client::ask(const import_request&,
                                              milliseconds);
template expected<inspect_report> client::ask(const annotate_request&,
                                              milliseconds);
template expected<inspect_report> client::ask(const inspect_request&,
                                              milliseconds);
template expected<compare_report> client::ask(const compare_request&,
                                              milliseconds);
template expected<exec_report> client::ask(const exec_request&, milliseconds);
template expected<file_report> client::ask(const file_request&, milliseconds);
template expected<console_report> client::ask(const console_request&,
                                              milliseconds);
template expected<restore_report> client::ask(const rollback_request&,
                                              milliseconds);
template expected<restore_report> client::ask(const promote_request&,
                                              milliseconds);
template expected<fsck_report> client::ask(const fsck_request&, milliseconds);
template expected<doctor_report> client::ask(const doctor_request&,
                                             milliseconds);

} // namespace forkfleet
