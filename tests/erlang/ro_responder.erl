%% SPDX-License-Identifier: Apache-2.0
%% Copyright the Tollgate authors
%%
%% A credit-control server on OTP's diameter that charges nobody: each request is decoded in full
%% and answered with the same grant. It is the peer that the clients of the tests are tried on, and
%% what tools/bench gy measures as "OTP's diameter on one core".
%%
%%   erl -noshell -pa FOLDER -run ro_responder main ADDRESS PORT
%%
%% It prints "listening ADDRESS:PORT" once it answers, and runs until its standard input closes.
-module(ro_responder).
-export([main/1]).
-export([peer_up/3, peer_down/3, pick_peer/4, prepare_request/3, prepare_retransmit/3,
         handle_answer/4, handle_error/4, handle_request/3]).

-include_lib("diameter/include/diameter.hrl").
-include("ro.hrl").

-define(GRANT_OCTETS, 1000000).
-define(VALIDITY_S, 3600).

main([Address, Port]) ->
    {ok, Listen} = inet:parse_address(Address),
    ok = diameter:start(),
    ok = diameter:start_service(?MODULE, [
        {'Origin-Host', "responder.otp.example"}, {'Origin-Realm', "otp.example"},
        {'Vendor-Id', 10415}, {'Product-Name', "OTP responder"}, {'Auth-Application-Id', [4]},
        {restrict_connections, false}, {string_decode, false},
        {application, [{alias, ro}, {dictionary, ro}, {module, ?MODULE}]},
        %% With its default, RFC 3588, OTP sends no answer-message with a code of 5xxx.
        {application, [{alias, common}, {dictionary, diameter_gen_base_rfc6733},
                       {module, ?MODULE}]}]),
    {ok, _} = diameter:add_transport(?MODULE, {listen, [
        {transport_module, diameter_tcp},
        {transport_config, [{ip, Listen}, {port, list_to_integer(Port)}, {reuseaddr, true},
                            {nodelay, true}]}]}),
    wait_until_listening(Listen, list_to_integer(Port), 100),
    io:format("listening ~s:~s~n", [Address, Port]),
    io:get_line(""),
    diameter:stop_service(?MODULE),
    halt(0).

wait_until_listening(Address, Port, Tries) when Tries > 0 ->
    case gen_tcp:connect(Address, Port, []) of
        {ok, Socket} -> gen_tcp:close(Socket);
        {error, _} -> timer:sleep(50), wait_until_listening(Address, Port, Tries - 1)
    end.

%% A grammar error: told on standard output and refused.
handle_request(#diameter_packet{msg = #ro_CCR{} = Request, errors = []}, _Service, {_, Caps}) ->
    {reply, answer(Request, Caps)};
handle_request(#diameter_packet{errors = Errors}, _Service, _Peer) ->
    io:format("refused ~0p~n", [Errors]),
    {answer_message, 5004}.

answer(Request, #diameter_caps{origin_host = {Host, _}, origin_realm = {Realm, _}}) ->
    #ro_CCR{'Session-Id' = Session, 'CC-Request-Type' = Type, 'CC-Request-Number' = Number,
            'Multiple-Services-Credit-Control' = Services} = Request,
    #ro_CCA{'Session-Id' = Session, 'Result-Code' = 2001, 'Origin-Host' = Host,
            'Origin-Realm' = Realm, 'Auth-Application-Id' = 4, 'CC-Request-Type' = Type,
            'CC-Request-Number' = Number,
            'Granted-Service-Unit' = [Granted || Granted <- outside_services(Request)],
            'Multiple-Services-Credit-Control' = [grant(Service) || Service <- Services]}.

outside_services(#ro_CCR{'Requested-Service-Unit' = [Asked]}) -> [like(Asked)];
outside_services(#ro_CCR{}) -> [].

grant(#'ro_Multiple-Services-Credit-Control'{'Rating-Group' = Group, 'Service-Identifier' = Service,
                                             'Requested-Service-Unit' = Asked}) ->
    #'ro_Multiple-Services-Credit-Control'{
        'Rating-Group' = Group, 'Service-Identifier' = Service, 'Result-Code' = [2001],
        'Granted-Service-Unit' = [like(Unit) || Unit <- Asked], 'Validity-Time' = [?VALIDITY_S]}.

%% In the unit that was asked for; octets where the client leaves it to us.
like(#'ro_Requested-Service-Unit'{'CC-Time' = [_]}) ->
    #'ro_Granted-Service-Unit'{'CC-Time' = [60]};
like(#'ro_Requested-Service-Unit'{'CC-Service-Specific-Units' = [_]}) ->
    #'ro_Granted-Service-Unit'{'CC-Service-Specific-Units' = [1]};
like(_) ->
    #'ro_Granted-Service-Unit'{'CC-Total-Octets' = [?GRANT_OCTETS]}.

peer_up(_Service, _Peer, State) -> State.
peer_down(_Service, _Peer, State) -> State.
pick_peer(_Local, _Remote, _Service, _State) -> false.
prepare_request(_Packet, _Service, _Peer) -> {discard, not_a_client}.
prepare_retransmit(_Packet, _Service, _Peer) -> {discard, not_a_client}.
handle_answer(_Packet, _Request, _Service, _Peer) -> ok.
handle_error(Reason, _Request, _Service, _Peer) -> {error, Reason}.
