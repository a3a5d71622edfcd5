%% SPDX-License-Identifier: Apache-2.0
%% Copyright the Tollgate authors
%%
%% A charging trigger function on OTP's diameter: plays a table of steps against HOST:PORT over
%% kernel TCP and compares each answer with what the table expects.
%%
%%   erl -noshell -pa FOLDER -run ro_client main HOST PORT STEPS
%%
%% One line a step on standard output, "ok step=..." or "FAIL step=...". Exit code 0 only if every
%% answer was as expected. Answers are decoded strictly: a wrong grammar is a failure even where the
%% result is right. Both connections use the same Origin-Host, as a client with two links does.
-module(ro_client).
-export([main/1]).
-export([peer_up/3, peer_down/3, pick_peer/5, prepare_request/4, prepare_retransmit/4,
         handle_answer/5, handle_error/5, handle_request/3]).

-include_lib("diameter/include/diameter.hrl").
-include("ro.hrl").

-define(HOST, "ctf-otp.client.example").
-define(REALM, "client.example").
-define(ANSWER_MS, 10000).
-define(CONNECT_MS, 15000).
-define(ASKED_MS, 20000).

main([Host, Port, File]) ->
    {ok, Address} = inet:parse_address(Host),
    Steps = ro_steps:read(File),
    true = register(player, self()),
    ok = diameter:start(),
    Connections = lists:usort([connection(Request) || {Request, _} <- Steps]),
    [connect(Name, Address, list_to_integer(Port)) || Name <- Connections],
    Failed = play(Steps, #{}, 0),
    [diameter:stop_service(Name) || Name <- Connections],
    io:format("summary steps=~b failed=~b~n", [length(Steps), Failed]),
    halt(min(Failed, 1)).

connection(Request) -> binary_to_atom(<<"conn", (maps:get(conn, Request, <<"1">>))/binary>>).

connect(Name, Address, Port) ->
    ok = diameter:start_service(Name, [
        {'Origin-Host', ?HOST}, {'Origin-Realm', ?REALM}, {'Vendor-Id', 10415},
        {'Product-Name', "OTP client"}, {'Auth-Application-Id', [4]}, {restrict_connections, false},
        {application, [{alias, ro}, {dictionary, ro}, {module, ?MODULE},
                       {answer_errors, report}]}]),
    true = diameter:subscribe(Name),
    {ok, _} = diameter:add_transport(Name, {connect, [
        {transport_module, diameter_tcp}, {connect_timer, 1000},
        {transport_config, [{raddr, Address}, {rport, Port}]}]}),
    receive
        #diameter_event{service = Name, info = Info} when element(1, Info) =:= up -> ok
    after ?CONNECT_MS ->
        io:format("FAIL step=connect no capabilities exchange in ~b ms~n", [?CONNECT_MS]),
        halt(1)
    end.

%% Sends holds the end-to-end identifier of each step that was sent, for the ones that repeat it.
play([], _Sends, Failed) -> Failed;
play([{Request, Expected} | Steps], Sends, Failed) ->
    Name = maps:get(step, Request),
    ok = wait_until_asked(Request),
    Repeats = maps:get(repeat, Request, none),
    EndToEnd = maps:get(Repeats, Sends, rand:uniform(16#ffffffff)),
    Header = #diameter_header{end_to_end_id = EndToEnd, is_retransmitted = Repeats =/= none},
    Got = answer(diameter:call(connection(Request), ro, request(Request),
                               [{timeout, ?ANSWER_MS}, {extra, [Header]}])),
    Wrong = maps:filter(fun(Key, Value) -> maps:get(Key, Got, absent) =/= Value end, Expected),
    report(Name, Got, Wrong),
    play(Steps, Sends#{Name => EndToEnd}, Failed + min(maps:size(Wrong), 1)).

%% after=rar, after=asr: the step is what the server asked for.
wait_until_asked(#{'after' := Kind, step := Name, session := Session}) ->
    io:format("waiting step=~s~n", [Name]),
    receive
        {asked, Kind, Session} -> ok
    after ?ASKED_MS ->
        io:format("FAIL step=~s was never asked for by ~s~n", [Name, Kind])
    end;
wait_until_asked(_Step) -> ok.

report(Name, Got, Wrong) ->
    Verdict = case maps:size(Wrong) of 0 -> "ok"; _ -> "FAIL" end,
    Fields = [[" ", atom_to_list(Key), "=", Value] || {Key, Value} <- maps:to_list(Got)],
    io:format("~s step=~s~s", [Verdict, Name, Fields]),
    [io:format(" expected_~s=~s", [K, V]) || {K, V} <- maps:to_list(Wrong)],
    io:format("~n").

%% -- The request ---------------------------------------------------------------------------------

request(Step) ->
    #ro_CCR{'Session-Id' = maps:get(session, Step),
            'Auth-Application-Id' = 4,
            'Service-Context-Id' = maps:get(context, Step, <<"32251@3gpp.org">>),
            'CC-Request-Type' = request_type(maps:get(type, Step)),
            'CC-Request-Number' = integer(number, Step),
            'Event-Timestamp' = [calendar:universal_time()],
            'Subscription-Id' = subscriptions(Step),
            'Termination-Cause' = [1 || maps:get(type, Step) =:= <<"T">>],
            'Requested-Action' = [action(Action) || {ok, Action} <- [maps:find(action, Step)]],
            'Multiple-Services-Indicator' = [1 || maps:is_key(rg, Step)],
            'Multiple-Services-Credit-Control' = services(Step),
            'Requested-Service-Unit' = outside_services(Step, ro_units:requested(Step)),
            'Used-Service-Unit' = outside_services(Step, ro_units:used(Step)),
            'Service-Information' = service_information(Step)}.

integer(Key, Step) -> binary_to_integer(maps:get(Key, Step)).

request_type(<<"I">>) -> 1;
request_type(<<"U">>) -> 2;
request_type(<<"T">>) -> 3;
request_type(<<"E">>) -> 4.

action(<<"direct">>) -> 0;
action(<<"refund">>) -> 1;
action(<<"balance">>) -> 2;
action(<<"price">>) -> 3.

subscriptions(Step) ->
    [#'ro_Subscription-Id'{'Subscription-Id-Type' = Type, 'Subscription-Id-Data' = Data}
     || {Key, Type} <- [{msisdn, 0}, {imsi, 1}], {ok, Data} <- [maps:find(Key, Step)]].

services(#{rg := Group} = Step) ->
    [#'ro_Multiple-Services-Credit-Control'{
        'Rating-Group' = [binary_to_integer(Group)],
        'Requested-Service-Unit' = ro_units:requested(Step),
        'Used-Service-Unit' = ro_units:used(Step)}];
services(_) -> [].

outside_services(#{rg := _}, _Units) -> [];
outside_services(_, Units) -> Units.

service_information(#{context := <<"32274@3gpp.org">>, msisdn := Msisdn}) ->
    [#'ro_Service-Information'{
        'Subscription-Id' = subscriptions(#{msisdn => Msisdn}),
        'SMS-Information' = [#'ro_SMS-Information'{'SM-Message-Type' = [0]}]}];
service_information(_) ->
    [#'ro_Service-Information'{
        'PS-Information' = [#'ro_PS-Information'{
            'PDP-Address' = [{10, 45, 0, 2}], 'SGSN-Address' = [{192, 0, 2, 1}],
            'GGSN-Address' = [{192, 0, 2, 2}], 'Called-Station-Id' = ["internet"],
            '3GPP-RAT-Type' = [<<6>>], '3GPP-SGSN-MCC-MNC' = ["24001"]}]}].

%% -- The answer ----------------------------------------------------------------------------------

answer({ok, #ro_CCA{} = Answer, []}) ->
    case ro_units:unknown(Answer) of
        [] -> (fields(Answer))#{grammar => <<"ok">>};
        Unknown -> (fields(Answer))#{grammar => text("unknown ~0p", Unknown)}
    end;
answer({ok, Answer, Errors}) when element(1, Answer) =:= ro_CCA ->
    (fields(Answer))#{grammar => text("errors ~0p", Errors)};
answer(Other) ->
    #{result => <<"none">>, grammar => text("~0p", Other)}.

text(Format, Term) -> iolist_to_binary(io_lib:format(Format, [Term])).

fields(#ro_CCA{'Result-Code' = Result, 'Multiple-Services-Credit-Control' = []} = Answer) ->
    #{result => integer_to_binary(Result), mscc => <<"none">>,
      grant => ro_units:granted(Answer#ro_CCA.'Granted-Service-Unit'),
      final => ro_units:final(Answer#ro_CCA.'Final-Unit-Indication')};
fields(#ro_CCA{'Result-Code' = Result, 'Multiple-Services-Credit-Control' = [Service]}) ->
    #'ro_Multiple-Services-Credit-Control'{'Result-Code' = Code, 'Granted-Service-Unit' = Granted,
                                           'Final-Unit-Indication' = Final} = Service,
    #{result => integer_to_binary(Result), mscc => text("~w", hd(Code ++ [absent])),
      grant => ro_units:granted(Granted), final => ro_units:final(Final)};
fields(#ro_CCA{'Result-Code' = Result}) ->
    #{result => integer_to_binary(Result), mscc => <<"several">>}.

%% -- Callbacks of diameter_app -------------------------------------------------------------------

peer_up(_Service, _Peer, State) -> State.
peer_down(_Service, _Peer, State) -> State.

pick_peer([Peer | _], _Remote, _Service, _State, _Header) -> {ok, Peer};
pick_peer([], _Remote, _Service, _State, _Header) -> false.

prepare_request(#diameter_packet{msg = Request}, _Service, {_, Capabilities}, Header) ->
    #diameter_caps{origin_host = {Host, _}, origin_realm = {Realm, PeerRealm}} = Capabilities,
    {send, #diameter_packet{header = Header,
                            msg = Request#ro_CCR{'Origin-Host' = Host, 'Origin-Realm' = Realm,
                                                 'Destination-Realm' = PeerRealm}}}.

prepare_retransmit(Packet, Service, Peer, Header) -> prepare_request(Packet, Service, Peer, Header).

handle_answer(Packet, _Request, _Service, _Peer, _Header) ->
    {ok, Packet#diameter_packet.msg, Packet#diameter_packet.errors}.

handle_error(Reason, _Request, _Service, _Peer, _Header) -> {error, Reason}.

%% What the server asks is decoded as strictly as what it answers.
handle_request(#diameter_packet{msg = #ro_RAR{'Session-Id' = Session, 'Re-Auth-Request-Type' = 0},
                                errors = []}, _Service, Peer) ->
    player ! {asked, <<"rar">>, iolist_to_binary(Session)},
    {Host, Realm} = own_names(Peer),
    {reply, #ro_RAA{'Session-Id' = Session, 'Result-Code' = 2002, 'Origin-Host' = Host,
                    'Origin-Realm' = Realm}};
handle_request(#diameter_packet{msg = #ro_ASR{'Session-Id' = Session}, errors = []}, _Service,
               Peer) ->
    player ! {asked, <<"asr">>, iolist_to_binary(Session)},
    {Host, Realm} = own_names(Peer),
    {reply, #ro_ASA{'Session-Id' = Session, 'Result-Code' = 2001, 'Origin-Host' = Host,
                    'Origin-Realm' = Realm}};
handle_request(#diameter_packet{errors = Errors}, _Service, _Peer) ->
    io:format("FAIL step=request from the server: ~0p~n", [Errors]),
    {answer_message, 3001}.

own_names({_, #diameter_caps{origin_host = {Host, _}, origin_realm = {Realm, _}}}) ->
    {Host, Realm}.
