// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/guest_line.hpp"

#include <cstring>

#include "node/firecracker/api.hpp"
#include "node/qemu/guest_status.hpp"
#include "node/qemu/qmp_client.hpp"

namespace forkfleet::keeper {

namespace {

class qmp_line : public guest_line {
public:
  explicit qmp_line(std::string path) : path_{std::move(path)} {}

  expected<guest_stand> look(deadline_point until) override {
    if (path_.empty())
      return fail(ec::unsupported, "there is no second QMP socket");
    if (auto ready = connect(until); !ready)
      return tl::unexpected(ready.error());
    qmp_->forget_events();
    const auto state = qemu::query_guest(*qmp_, until);
    if (!state)
      return tl::unexpected(state.error());
    return guest_stand{*state, qemu::is_resumable(*state)};
  }

  status resume(deadline_point until) override {
    auto resumed = qmp_->execute("cont", until);
    if (!resumed)
      return tl::unexpected(resumed.error());
    return {};
  }

  bool listen(deadline_point until) override {
    if (!path_.empty())
      static_cast<void>(connect(until).has_value());
    return !path_.empty();
  }

  int socket() const override { return qmp_ ? qmp_->socket() : -1; }

  std::string told_end() override {
    if (!qmp_)
      return {};
    qmp_->forget_events();
    const auto& told = qmp_->shutdown();
    return told ? qemu::text_member(told->data, "reason") : std::string{};
  }

private:
  status connect(deadline_point until) {
    if (qmp_)
      return qmp_->ensure_connected(until);
    auto made = qemu::qmp_client::connect(path_, until);
    if (!made)
      return tl::unexpected(made.error());
    qmp_ = std::move(*made);
    return {};
  }

  std::string path_;
  std::unique_ptr<qemu::qmp_client> qmp_ = {};
};

class api_line : public guest_line {
public:
  explicit api_line(std::string path) : api_{std::move(path)} {}

  expected<guest_stand> look(deadline_point until) override {
    using firecracker::instance_state;
    const auto state = api_.state(until);
    if (!state)
      return tl::unexpected(state.error());
    if (*state == instance_state::paused)
      return guest_stand{"Paused", true};
    return guest_stand{
      *state == instance_state::running ? "Running" : "Not started", false};
  }

  status resume(deadline_point until) override { return api_.resume(until); }

private:
  firecracker::api api_;
};

} // namespace

std::unique_ptr<guest_line> make_line(const std::string& socket) {
  if (socket.starts_with(api_socket_prefix))
    return std::make_unique<api_line>(
      socket.substr(std::strlen(api_socket_prefix)));
  return std::make_unique<qmp_line>(socket);
}

} // namespace forkfleet::keeper
