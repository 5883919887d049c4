package mqttseal

import (
	"strings"

	"github.com/eclipse/paho.golang/paho"
)

const keyLevel = "/keys/" // between a topic and the name of a publisher

// KeyTopic returns where the publisher with a client id has its key message retained: topic + "/keys/" + clientID. A broker that lets devices write to their own topics only must let them write here too.
func KeyTopic(topic, clientID string) string { return topic + keyLevel + clientID }

// Subscriptions returns what to subscribe to for the payloads that match filter, at that QoS, and for their key messages, which come first and at QoS 0: so they get through also where the broker waits for acknowledgements of payloads whose
// keys they hold. Subscribe at every connection, with a persistent session too, for it is subscribing that brings the retained ones. Of a shared filter the keys are not shared. One that ends in '#' covers the key topics itself.
func Subscriptions(filter string, qos byte) []paho.SubscribeOptions {
	payloads := paho.SubscribeOptions{Topic: filter, QoS: qos}
	own := filter
	if rest, ok := strings.CutPrefix(filter, "$share/"); ok {
		_, own, _ = strings.Cut(rest, "/")
	}
	if strings.HasSuffix(own, "#") {
		return []paho.SubscribeOptions{payloads}
	}
	return []paho.SubscribeOptions{{Topic: own + keyLevel + "+"}, payloads}
}
