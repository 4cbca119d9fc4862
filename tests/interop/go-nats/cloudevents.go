package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/extensions"
	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// newEvent gives an event of the CloudEvents SDK that carries the context of ctx as the start of its transmission.
func newEvent(ctx context.Context, id string) event.Event {
	e := event.New()
	e.SetID(id)
	e.SetSource("/go")
	e.SetType("com.example.from.go")
	if err := e.SetData("application/json", map[string]string{"from": "Go"}); err != nil {
		panic(err)
	}
	carrier := propagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	extension := extensions.DistributedTracingExtension{TraceParent: carrier["traceparent"], TraceState: carrier["tracestate"]}
	extension.AddTracingAttributes(&e)
	return e
}

// sendEvents publishes one event three times: with header and envelope, with the envelope alone, and in binary mode, whose
// header names are in the canonical case of Go.
func sendEvents(nc *nats.Conn) error {
	ctx, span := tracer.Start(context.Background(), "go.events")
	defer span.End()
	say("sent", span)
	structured, err := json.Marshal(newEvent(ctx, "1"))
	if err != nil {
		return err
	}
	both := message(ctx, "ce.js.both")
	both.Header.Set("Content-Type", event.ApplicationCloudEventsJSON)
	both.Data = structured
	envelope := nats.NewMsg("ce.js.envelope")
	envelope.Data = structured
	binary := nats.NewMsg("ce.js.binary")
	e := newEvent(ctx, "2")
	binary.Header.Set("Ce-Specversion", e.SpecVersion())
	binary.Header.Set("Ce-Id", e.ID())
	binary.Header.Set("Ce-Source", e.Source())
	binary.Header.Set("Ce-Type", e.Type())
	binary.Header.Set("Content-Type", e.DataContentType())
	for name, value := range e.Extensions() {
		binary.Header.Set("Ce-"+name, fmt.Sprint(value))
	}
	binary.Data = e.Data()
	for _, m := range []*nats.Msg{both, envelope, binary} {
		if err := nc.PublishMsg(m); err != nil {
			return err
		}
	}
	return nil
}

// receiveEvent prints what the SDK reads of an event: the span of the header and the one of the envelope.
func receiveEvent(m *nats.Msg) {
	e := event.New()
	if err := json.Unmarshal(m.Data, &e); err != nil {
		panic(err)
	}
	if err := e.Validate(); err != nil {
		panic(err)
	}
	extension, ok := extensions.GetDistributedTracingExtension(e)
	if !ok {
		panic("no distributed-tracing extension")
	}
	header := spanIn(m.Header.Get("traceparent"))
	fmt.Println("header", header.TraceID(), header.SpanID())
	envelope := spanIn(extension.TraceParent)
	fmt.Println("envelope", envelope.TraceID(), envelope.SpanID())
}

func spanIn(traceparent string) trace.SpanContext {
	carrier := propagation.MapCarrier{"traceparent": traceparent}
	return trace.SpanContextFromContext(propagator.Extract(context.Background(), carrier))
}
